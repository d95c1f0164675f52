"""Switchgear: the control plane for what an LLM pipeline spends and depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.errors import (
    BreakerOpen,
    BudgetExceeded,
    ConfigError,
    ImpossibleError,
    LedgerError,
    RateLimited,
    Refused,
    Skipped,
    StallError,
    StateError,
    SwitchgearError,
    Unpriced,
)
from switchgear.version import __version__

if TYPE_CHECKING:
    from switchgear.clients.governor import Governor
    from switchgear.context import attribution
    from switchgear.events import CircuitState
    from switchgear.insight.metrics import (
        BudgetMetrics,
        CircuitBreakerMetrics,
        MetricsSnapshot,
        RateLimitMetrics,
        SystemHealth,
        TokenMetrics,
    )
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.standalone.breaker import CircuitBreaker
    from switchgear.standalone.breakers import CircuitBreakerRegistry
    from switchgear.standalone.budget import Budget
    from switchgear.standalone.limiter import RateLimiter
    from switchgear.standalone.limiters import RateLimiterRegistry
    from switchgear.standalone.tracker import TokenTracker
    from switchgear.standalone.trackers import TokenTrackerRegistry

__all__ = [
    "BreakerOpen",
    "Budget",
    "BudgetExceeded",
    "BudgetMetrics",
    "CircuitBreaker",
    "CircuitBreakerMetrics",
    "CircuitBreakerRegistry",
    "CircuitState",
    "ConfigError",
    "Governor",
    "ImpossibleError",
    "LedgerError",
    "MetricsCollector",
    "MetricsSnapshot",
    "RateLimitMetrics",
    "RateLimited",
    "RateLimiter",
    "RateLimiterRegistry",
    "Refused",
    "Skipped",
    "StallError",
    "StateError",
    "SwitchgearError",
    "SystemHealth",
    "TokenMetrics",
    "TokenTracker",
    "TokenTrackerRegistry",
    "Unpriced",
    "__version__",
    "attribution",
]

# What needs more than the standard library is imported when it is first asked for (PEP 562), so
# that `import switchgear` and `switchgear --version` stay cheap.
_LAZY = {
    "Budget": "switchgear.standalone.budget",
    "BudgetMetrics": "switchgear.insight.metrics",
    "CircuitBreaker": "switchgear.standalone.breaker",
    "CircuitBreakerMetrics": "switchgear.insight.metrics",
    "CircuitBreakerRegistry": "switchgear.standalone.breakers",
    "CircuitState": "switchgear.events",
    "Governor": "switchgear.clients.governor",
    "MetricsCollector": "switchgear.insight.snapshot",
    "MetricsSnapshot": "switchgear.insight.metrics",
    "RateLimitMetrics": "switchgear.insight.metrics",
    "RateLimiter": "switchgear.standalone.limiter",
    "RateLimiterRegistry": "switchgear.standalone.limiters",
    "SystemHealth": "switchgear.insight.metrics",
    "TokenMetrics": "switchgear.insight.metrics",
    "TokenTracker": "switchgear.standalone.tracker",
    "TokenTrackerRegistry": "switchgear.standalone.trackers",
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
