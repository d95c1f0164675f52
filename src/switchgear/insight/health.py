"""The overall status, as a pure function of what a snapshot knows.

Thresholds (``HealthRules``), worst first:

- UNHEALTHY: the breaker of a critical service is open; a budget is spent to 100 % or more (of any
  kind, ``warn`` too; what is only reserved does not count); a limit is used up (concurrency too);
  half or more of at least 10 answered calls failed in the last 5 to 20 minutes; the ledger fails.
- DEGRADED: calls go on unrecorded (``ledger.on_error = "allow"``);
  the breaker of any service is open or probing; a budget is at 75 % or more; a limit is at
  90 % or more; more than 10 % of at least 10 answered calls failed.
- HEALTHY: none of these. A service without a call is healthy.

What is only evaluated (shadow) says nothing. A breaker that an operator forced open counts as open; a
disabled one as closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.days import clock_text
from switchgear.insight.metrics import HealthReason, ServiceHealth, SystemHealth
from switchgear.money import format_usd, to_nano

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.metrics import (
        BudgetMetrics,
        CircuitBreakerMetrics,
        HealthStatus,
        RateLimitMetrics,
        RecentCalls,
    )

__all__ = ["HealthRules", "ServiceCalls", "assess"]

_SEVERITY: Final[dict[HealthStatus, int]] = {"unhealthy": 0, "degraded": 1, "healthy": 2}
_OPEN: Final = frozenset({"open", "forced_open"})


class HealthRules(msgspec.Struct, frozen=True, kw_only=True):
    """From where on things are bad. Percentages are of the limit, rates are shares of answered calls."""

    budget_degraded_percent: float = 75.0
    budget_unhealthy_percent: float = 100.0
    limit_degraded_percent: float = 90.0
    limit_unhealthy_percent: float = 100.0
    errors_degraded_above: float = 0.10
    errors_unhealthy_from: float = 0.50
    errors_minimum_calls: int = 10


class ServiceCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one service in the last hour; *ever*: it has had any call at all."""

    calls: int = 0
    failed: int = 0
    refused: int = 0
    ever: bool = False


def assess(  # noqa: PLR0913 - one keyword for each thing that health depends on
    *,
    now: dt.datetime,
    zone: ZoneInfo,
    breakers: Sequence[CircuitBreakerMetrics],
    limits: Iterable[RateLimitMetrics],
    budgets: Iterable[BudgetMetrics],
    errors: RecentCalls,
    calls: Mapping[str, ServiceCalls],
    ledger_problem: str | None = None,
    ledger_warning: str | None = None,
    state_problem: str | None = None,
    notes: Iterable[HealthReason] = (),
    rules: HealthRules,
) -> SystemHealth:
    """Return the status with its reasons, the worst first; see the module for the rules."""
    reasons = [
        *_of_store("ledger", ledger_problem),
        *_of_unrecorded(ledger_warning),
        *_of_store("shared state", state_problem),
        *(reason for breaker in breakers for reason in _of_breaker(breaker, now, zone)),
        *(reason for budget in budgets if not budget.shadow for reason in _of_budget(budget, rules)),
        *(reason for limit in limits if not limit.shadow for reason in _of_limit(limit, rules)),
        *_of_errors(errors, rules),
        *notes,
    ]
    reasons.sort(key=lambda reason: _SEVERITY[reason.status])
    return SystemHealth(
        status=reasons[0].status if reasons else "healthy",
        reasons=tuple(reasons),
        services=tuple(_service(breaker, calls.get(breaker.service, ServiceCalls()), reasons) for breaker in breakers),
    )


def _of_store(name: str, problem: str | None) -> Iterator[HealthReason]:
    if problem is not None:
        yield HealthReason(status="unhealthy", text=f"The {name} fails: {problem}.", subject="ledger")


def _of_unrecorded(warning: str | None) -> Iterator[HealthReason]:
    if warning is not None:
        yield HealthReason(status="degraded", text=f"The ledger fails: {warning}.", subject="ledger")


def _of_breaker(breaker: CircuitBreakerMetrics, now: dt.datetime, zone: ZoneInfo) -> Iterator[HealthReason]:
    since = clock_text(breaker.since, now, zone)
    if breaker.state in _OPEN and breaker.critical:
        text = f"{breaker.service} is critical and its breaker has been open since {since}."
        yield HealthReason(status="unhealthy", text=text, subject="service", name=breaker.service)
    elif breaker.state in _OPEN:
        text = f"The breaker of {breaker.service} (not critical) has been open since {since}."
        yield HealthReason(status="degraded", text=text, subject="service", name=breaker.service)
    elif breaker.state == "half_open":
        text = f"The breaker of {breaker.service} has been probing since {since}."
        yield HealthReason(status="degraded", text=text, subject="service", name=breaker.service)


def _of_budget(budget: BudgetMetrics, rules: HealthRules) -> Iterator[HealthReason]:
    title = budget.name if budget.value is None else f"{budget.name} for {budget.value}"
    if budget.limit_usd is not None and budget.spent_usd is not None:
        numbers = f"{format_usd(to_nano(budget.spent_usd))} of {format_usd(to_nano(budget.limit_usd))}"
    else:
        numbers = f"{budget.spent_tokens:,} of {budget.limit_tokens:,} tokens"
    if budget.used_percent >= rules.budget_unhealthy_percent:
        text = f"Budget {title} is exceeded: {budget.used_percent:.0f} % ({numbers})."
        yield HealthReason(status="unhealthy", text=text, subject="budget", name=budget.name)
    elif budget.used_percent >= rules.budget_degraded_percent:
        text = f"Budget {title} is at {int(budget.used_percent)} % ({numbers})."
        yield HealthReason(status="degraded", text=text, subject="budget", name=budget.name)


def _of_limit(limit: RateLimitMetrics, rules: HealthRules) -> Iterator[HealthReason]:
    title = f"{limit.rule.replace('_', ' ')} of {limit.service}"
    numbers = f"{limit.used:,} of {limit.limit:,}"
    if limit.used_percent >= rules.limit_unhealthy_percent:
        text = f"The limit {title} is used up ({numbers})."
        yield HealthReason(status="unhealthy", text=text, subject="limit", name=limit.service)
    elif limit.used_percent >= rules.limit_degraded_percent:
        text = f"The limit {title} is at {int(limit.used_percent)} % ({numbers})."
        yield HealthReason(status="degraded", text=text, subject="limit", name=limit.service)


def _of_errors(errors: RecentCalls, rules: HealthRules) -> Iterator[HealthReason]:
    rate = errors.error_rate
    if rate is None or errors.answered < rules.errors_minimum_calls or rate <= rules.errors_degraded_above:
        return
    minutes = round((errors.until - errors.since).total_seconds() / 60)
    text = f"{errors.failed:,} of {errors.answered:,} calls failed in the last {minutes} minutes ({rate:.0%})."
    status: HealthStatus = "unhealthy" if rate >= rules.errors_unhealthy_from else "degraded"
    yield HealthReason(status=status, text=text.replace("%", " %"), subject="errors")


def _service(breaker: CircuitBreakerMetrics, calls: ServiceCalls, reasons: Iterable[HealthReason]) -> ServiceHealth:
    own = [
        reason.status for reason in reasons if reason.name == breaker.service and reason.subject in {"service", "limit"}
    ]
    if calls.calls:
        text = f"{calls.calls:,} {'call' if calls.calls == 1 else 'calls'} in the last hour, {calls.failed:,} failed"
    else:
        text = "no calls in the last hour" if calls.ever else "no calls yet"
    return ServiceHealth(
        name=breaker.service,
        status=min(own, key=_SEVERITY.__getitem__, default="healthy"),
        critical=breaker.critical,
        breaker=breaker.state,
        since=breaker.since,
        text=text,
        calls=calls.calls,
        failed=calls.failed,
        refused=calls.refused,
    )
