"""From the state's views to metrics: breakers, limits, budgets as of now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import structs

from switchgear.clock import MICROS
from switchgear.insight.days import from_micros
from switchgear.insight.metrics import BudgetMetrics, CircuitBreakerMetrics, RateLimitMetrics
from switchgear.money import to_usd

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from switchgear.config.model import BudgetConfig, ServiceConfig
    from switchgear.insight.metrics import BudgetState
    from switchgear.state.base import BreakerView, BudgetView, LimitView

__all__ = ["breaker_metrics", "budget_metrics", "limit_metrics"]

_KIND_WORDS: Final = {"fail": "Hard limit", "warn": "Warn only", "skip": "Skip", "degrade": "Degrade"}
_SOFT_WORDS: Final = {
    **_KIND_WORDS,
    "fail": "Soft limit",
    "skip": "Skip (soft limit)",
    "degrade": "Degrade (soft limit)",
}
"""What is said of budgets that reserve what is expected of a call, not its worst case."""


def breaker_metrics(
    views: Sequence[BreakerView], services: Mapping[str, ServiceConfig]
) -> tuple[CircuitBreakerMetrics, ...]:
    """Return the metrics of each breaker; *services* tells which are critical."""
    return tuple(
        CircuitBreakerMetrics(
            service=view.service,
            state=view.state,
            critical=view.service in services and services[view.service].critical,
            since=from_micros(view.since),
            failures=view.failures,
            failure_threshold=view.failure_threshold,
            window_calls=view.calls,
            window_failed=view.failed,
            failure_rate_threshold=view.failure_rate,
            minimum_calls=view.minimum_calls,
            opened_times=view.opened_times,
            rejected=view.rejected,
            next_probe_at=_instant(view.next_probe_at),
            probes=view.probes,
            max_probes=view.max_probes,
            reason=view.reason,
        )
        for view in views
    )


def limit_metrics(views: Sequence[LimitView]) -> tuple[RateLimitMetrics, ...]:
    """Return the metrics of each limit."""
    return tuple(
        RateLimitMetrics(
            service=view.service,
            rule=view.rule,
            unit=view.unit,
            limit=view.limit,
            used=view.used,
            used_percent=_percent(view.used, view.limit),
            window_seconds=view.window / MICROS,
            waiting=view.waiting,
            free_at=_instant(view.free_at),
            shadow=view.shadow,
            would_wait=view.would_wait,
            would_refuse=view.would_refuse,
        )
        for view in views
    )


def budget_metrics(views: Sequence[BudgetView], budgets: Sequence[BudgetConfig]) -> tuple[BudgetMetrics, ...]:
    """Return the metrics of each budget account; *budgets* tells what they match."""
    configured = {budget.name: budget for budget in budgets}
    return tuple(_budget(view, configured.get(view.budget)) for view in views)


def _budget(view: BudgetView, config: BudgetConfig | None) -> BudgetMetrics:
    used = _percent(view.spent, view.limit)
    metrics = BudgetMetrics(
        name=view.budget,
        value=view.value,
        match=dict(config.match) if config else _of_no_configuration(view.budget),
        each=config.each if config else None,
        kind=view.kind,
        kind_words=_kind_words(view),
        unit=view.unit,
        used_percent=used,
        reserved_percent=_percent(view.reserved, view.limit),
        state=_budget_state(used, view.thresholds),
        period=view.period,
        period_start=from_micros(view.period_start) if view.period_start else None,
        resets_at=_instant(view.period_end),
        thresholds=view.thresholds,
        unpriced_calls=view.unpriced,
        refused=0 if view.shadow else view.refused,
        reserve=view.reserve,
        shadow=view.shadow,
        would_refuse=view.refused if view.shadow else 0,
    )
    return _with_amounts(metrics, view)


def _kind_words(view: BudgetView) -> str:
    words = (_KIND_WORDS if view.reserve == "worst_case" else _SOFT_WORDS).get(view.kind, view.kind)
    return f"Shadow: {words[0].lower()}{words[1:]}" if view.shadow else words


def _of_no_configuration(budget: str) -> dict[str, str]:
    """Return what the budget of a Switchgear key, of a run or of its layer matches; they are in no configuration."""
    what, _, name = budget.partition(":")
    if what == "key":
        return {"key": name}
    run, _, layer = name.partition("/")
    return {"run": run} | ({"layer": layer} if layer else {}) if what == "run" else {}


def _with_amounts(metrics: BudgetMetrics, view: BudgetView) -> BudgetMetrics:
    if view.unit == "usd":
        return structs.replace(
            metrics,
            limit_usd=to_usd(view.limit),
            spent_usd=to_usd(view.spent),
            reserved_usd=to_usd(view.reserved),
            remaining_usd=to_usd(view.remaining),
        )
    return structs.replace(
        metrics,
        limit_tokens=view.limit,
        spent_tokens=view.spent,
        reserved_tokens=view.reserved,
        remaining_tokens=view.remaining,
    )


def _budget_state(used_percent: float, thresholds: tuple[float, ...]) -> BudgetState:
    """Exceeded from 100 % on; below, the first threshold is a warning and the last one critical."""
    if used_percent >= 100:  # noqa: PLR2004 - a percentage
        return "exceeded"
    below = [round(threshold * 100, 6) for threshold in thresholds if threshold < 1]
    passed = sum(used_percent >= threshold for threshold in below)
    if not passed:
        return "ok"
    return "critical" if passed == len(below) > 1 else "warning"


def _percent(part: int, whole: int) -> float:
    """Return the share in per cent, rounded down to a tenth, so that 100 means all of it.

    Of a limit of 0 nothing is used until something is; then it is exceeded.
    """
    if whole == 0:
        return 100.0 if part > 0 else 0.0
    return part * 1000 // whole / 10


def _instant(instant: int | None) -> dt.datetime | None:
    return None if instant is None else from_micros(instant)
