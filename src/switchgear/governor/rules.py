"""From configuration to rules: what the policies and the state are told, compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.model import CALENDAR_PERIODS
from switchgear.config.units import Calls, parse_duration
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.memory import ServiceRules

if TYPE_CHECKING:
    from switchgear.calls import Unit
    from switchgear.config.model import BreakerConfig, BudgetConfig, Config, LimitsConfig, ServiceConfig

__all__ = ["budget_rules", "service_rules"]

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000

_LIMITS: Final[tuple[tuple[str, Unit, int], ...]] = (
    ("requests_per_minute", "requests", _MINUTE),
    ("requests_per_day", "requests", _DAY),
    ("tokens_per_minute", "tokens", _MINUTE),
    ("tokens_per_day", "tokens", _DAY),
    ("concurrent", "calls", 0),
)


def service_rules(config: Config) -> dict[str, ServiceRules]:
    """Return the rules of every service in *config*, calendar days cut in the reporting time zone."""
    zone = config.server.reporting_timezone
    return {name: _service(service, zone) for name, service in config.services.items()}


def budget_rules(config: Config) -> tuple[BudgetRule, ...]:
    """Return every budget in *config*, periods cut in the reporting time zone."""
    return tuple(_budget(budget, config.server.reporting_timezone) for budget in config.budgets)


def _service(service: ServiceConfig, timezone: str) -> ServiceRules:
    return ServiceRules(
        limits=_limits(service.limits, timezone),
        breaker=_breaker(service.breaker),
        shadow=_limits(service.shadow_limits, timezone),
    )


def _limits(limits: LimitsConfig, timezone: str) -> tuple[LimitRule, ...]:
    zone = timezone if limits.day == "calendar" else None
    return tuple(
        LimitRule(name=name, unit=unit, limit=limit, window_us=window, timezone=zone if window == _DAY else None)
        for name, unit, window in _LIMITS
        if (limit := getattr(limits, name)) is not None
    )


def _breaker(breaker: BreakerConfig) -> BreakerRule:
    calls = breaker.window if isinstance(breaker.window, Calls) else None
    return BreakerRule(
        failure_threshold=breaker.failure_threshold,
        recovery_us=breaker.recovery_timeout,
        failure_rate=breaker.failure_rate,
        minimum_calls=breaker.minimum_calls,
        window_us=0 if calls else breaker.window,
        window_calls=None if calls is None else int(calls),
        slow_us=breaker.slow_call,
        slow_rate=breaker.slow_rate,
        probes=breaker.probes,
        success_threshold=breaker.success_threshold,
        probe_lease_us=breaker.probe_lease,
        backoff=breaker.backoff,
        max_recovery_us=breaker.max_recovery_timeout,
        jitter=breaker.jitter,
    )


def _budget(budget: BudgetConfig, timezone: str) -> BudgetRule:
    rolling = budget.period not in CALENDAR_PERIODS
    return BudgetRule(
        name=budget.name,
        unit="usd" if budget.limit_usd is not None else "tokens",
        limit=budget.limit_usd or budget.limit_tokens or 0,
        match=tuple(sorted(budget.match.items())),
        each=budget.each,
        period=budget.period,
        rolling_us=parse_duration(budget.period) if rolling else None,
        timezone=timezone,
        action=budget.action,
        degrade_to=budget.degrade_to,
        reserve=budget.reserve,
        shadow=budget.shadow,
        thresholds=tuple(float(share) for share in budget.thresholds),
    )
