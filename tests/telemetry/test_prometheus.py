from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, cast

from prometheus_client.parser import text_string_to_metric_families

from switchgear.insight.metrics import (
    BudgetMetrics,
    CircuitBreakerMetrics,
    MetricsSnapshot,
    RateLimitMetrics,
    RecentCalls,
    SystemHealth,
    TokenMetrics,
)
from switchgear.ledger.views import Totals
from switchgear.money import to_usd
from switchgear.telemetry.prometheus import PrometheusPage

if TYPE_CHECKING:
    from switchgear.events import CircuitName
    from switchgear.insight.snapshot import MetricsCollector

NOW = dt.datetime(2026, 11, 24, 13, 3, tzinfo=dt.UTC)


def _breaker(state: CircuitName) -> CircuitBreakerMetrics:
    return CircuitBreakerMetrics(
        service=state,
        state=state,
        critical=False,
        since=NOW,
        failures=0,
        failure_threshold=5,
        window_calls=0,
        window_failed=0,
        failure_rate_threshold=0.5,
        minimum_calls=10,
        opened_times=0,
        rejected=0,
        next_probe_at=None,
        probes=0,
        max_probes=1,
        reason=None,
    )


class FakeCollector:
    """A collector with one picture."""

    @staticmethod
    def denials() -> dict[str, int]:
        """Return how many requests were turned away for their key."""
        return {"unknown": 3}

    def snapshot(self) -> MetricsSnapshot:
        limit = RateLimitMetrics(
            service="openai",
            rule="concurrent",
            unit="calls",
            limit=64,
            used=8,
            used_percent=12.5,
            window_seconds=0,
            waiting=0,
            free_at=None,
        )
        budget = BudgetMetrics(
            name="month",
            value=None,
            match={},
            each=None,
            kind="fail",
            kind_words="Hard limit",
            unit="usd",
            limit_usd=to_usd(50_000_000_000),
            spent_usd=to_usd(41_500_000_000),
            reserved_usd=to_usd(0),
            remaining_usd=to_usd(8_500_000_000),
            used_percent=83.0,
            reserved_percent=0.0,
            state="warning",
            period="month",
            period_start=None,
            resets_at=None,
            thresholds=(),
            unpriced_calls=0,
            refused=0,
            reserve="worst_case",
        )
        return MetricsSnapshot(
            generated_at=NOW,
            timezone="UTC",
            health=SystemHealth(status="degraded"),
            today=TokenMetrics(period="today", since=NOW, until=NOW),
            month=TokenMetrics(period="month", since=NOW, until=NOW),
            errors=RecentCalls(since=NOW, until=NOW),
            hour=RecentCalls(since=NOW, until=NOW),
            breaker_states={},
            breakers=(_breaker("closed"), _breaker("half_open"), _breaker("open"), _breaker("forced_open")),
            limits=(limit,),
            budgets=(budget,),
        )

    def lifetime(self) -> tuple[Totals, ...]:
        return (
            Totals(
                group={"service": 'o"p\\en\nai'},
                ok=7,
                failed=2,
                refused=1,
                input_tokens=100,
                cost=1_250_000_000,
                unpriced=3,
            ),
            Totals(group={"service": "anthropic"}, ok=1, output_tokens=9),
        )


def _samples() -> dict[tuple[str, tuple[str, ...]], float]:
    """Return each value by its name and its labels' values, in the order of the labels' names."""
    page = PrometheusPage(cast("MetricsCollector", FakeCollector()), "1.2.3")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.render().decode())
        for sample in family.samples
    }


def test_calls_tokens_and_cost_are_counters_by_service() -> None:
    """Names and labels as promised; odd service names survive the text format."""
    found = _samples()

    odd = 'o"p\\en\nai'
    assert found["switchgear_calls_total", (odd, "failed")] == 2
    assert found["switchgear_tokens_total", ("input", odd)] == 100
    assert found["switchgear_cost_usd_total", (odd,)] == 1.25
    assert found["switchgear_unpriced_calls_total", ()] == 3


def test_breakers_limits_and_budgets_are_gauges() -> None:
    """0 closed, 1 probing, 2 open, by force or not."""
    found = _samples()

    states = [found["switchgear_breaker_state", (name,)] for name in ("closed", "half_open", "open", "forced_open")]
    assert states == [0, 1, 2, 2]
    assert found["switchgear_limit_used", ("concurrent", "openai")] == 8
    assert found["switchgear_limit_limit", ("concurrent", "openai")] == 64
    assert found["switchgear_budget_spent_usd", ("month", "")] == 41.5
    assert found["switchgear_budget_used_ratio", ("month", "")] == 0.83
    assert ("switchgear_budget_spent_tokens", ("month", "")) not in found


def test_the_version_and_the_health_are_there() -> None:
    """What runs, and how it is."""
    found = _samples()

    assert found["switchgear_build_info", ("1.2.3",)] == 1
    assert found["switchgear_health", ()] == 1
    assert found["switchgear_denied_requests_total", ("unknown",)] == 3


def test_pages_do_not_share_a_registry() -> None:
    """Two apps in one process do not collide, and nothing of the process is mixed in."""
    first, second = (PrometheusPage(cast("MetricsCollector", FakeCollector()), "1") for _ in range(2))

    assert first.render() == second.render()
    assert b"python_info" not in first.render()
