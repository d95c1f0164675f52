"""Switchgear: the control plane for what an LLM pipeline spends and depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.errors import (
    BreakerOpen,
    BudgetExceeded,
    ConfigError,
    LedgerError,
    RateLimited,
    Refused,
    Skipped,
    StateError,
    SwitchgearError,
    Unpriced,
)
from switchgear.version import __version__

if TYPE_CHECKING:
    from switchgear.clients.governor import Governor
    from switchgear.context import attribution
    from switchgear.insight.metrics import (
        BudgetMetrics,
        CircuitBreakerMetrics,
        MetricsSnapshot,
        RateLimitMetrics,
        SystemHealth,
        TokenMetrics,
    )
    from switchgear.insight.snapshot import MetricsCollector

__all__ = [
    "BreakerOpen",
    "BudgetExceeded",
    "BudgetMetrics",
    "CircuitBreakerMetrics",
    "ConfigError",
    "Governor",
    "LedgerError",
    "MetricsCollector",
    "MetricsSnapshot",
    "RateLimitMetrics",
    "RateLimited",
    "Refused",
    "Skipped",
    "StateError",
    "SwitchgearError",
    "SystemHealth",
    "TokenMetrics",
    "Unpriced",
    "__version__",
    "attribution",
]

# What needs more than the standard library is imported when it is first asked for (PEP 562), so
# that `import switchgear` and `switchgear --version` stay cheap.
_LAZY = {
    "BudgetMetrics": "switchgear.insight.metrics",
    "CircuitBreakerMetrics": "switchgear.insight.metrics",
    "Governor": "switchgear.clients.governor",
    "MetricsCollector": "switchgear.insight.snapshot",
    "MetricsSnapshot": "switchgear.insight.metrics",
    "RateLimitMetrics": "switchgear.insight.metrics",
    "SystemHealth": "switchgear.insight.metrics",
    "TokenMetrics": "switchgear.insight.metrics",
    "attribution": "switchgear.context",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return __all__
