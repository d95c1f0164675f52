from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from switchgear.config.model import ServiceConfig
from switchgear.insight.health import HealthRules, ServiceCalls, assess
from switchgear.insight.live import breaker_metrics, budget_metrics, limit_metrics
from switchgear.insight.metrics import RecentCalls

if TYPE_CHECKING:
    from tests.insight.conftest import Make

    from switchgear.insight.metrics import SystemHealth

NOW = dt.datetime(2026, 11, 24, 13, 3, tzinfo=dt.UTC)
SINCE = int((NOW - dt.timedelta(minutes=5)).timestamp()) * 1_000_000
NANO = 1_000_000_000


def _errors(ok: int, failed: int) -> RecentCalls:
    since = NOW - dt.timedelta(minutes=18)
    rate = failed / (ok + failed) if ok + failed else None
    return RecentCalls(since=since, until=NOW, ok=ok, failed=failed, error_rate=rate)


def _health(**parts: Any) -> SystemHealth:  # noqa: ANN401 - the keywords of assess
    nothing: dict[str, Any] = {"breakers": (), "limits": (), "budgets": (), "errors": _errors(0, 0), "calls": {}}
    return assess(now=NOW, zone=ZoneInfo("Europe/Vienna"), rules=HealthRules(), **{**nothing, **parts})


@pytest.mark.parametrize(
    ("state", "critical", "status"),
    [
        ("closed", True, "healthy"),
        ("disabled", True, "healthy"),
        ("open", False, "degraded"),
        ("forced_open", False, "degraded"),
        ("half_open", False, "degraded"),
        ("half_open", True, "degraded"),
        ("open", True, "unhealthy"),
        ("forced_open", True, "unhealthy"),
    ],
)
def test_only_an_open_breaker_of_a_critical_service_is_unhealthy(
    make: type[Make], state: str, status: str, *, critical: bool
) -> None:
    """One optional service never makes everything unhealthy; probing degrades."""
    services = {"openai": ServiceConfig(critical=critical)}

    found = _health(breakers=breaker_metrics([make.breaker("openai", state=state, since=SINCE)], services))

    assert found.status == status
    assert found.services[0].status == status


@pytest.mark.parametrize(
    ("spent", "status"),
    [(749, "healthy"), (750, "degraded"), (999, "degraded"), (1000, "unhealthy"), (25_000, "unhealthy")],
)
def test_budgets_degrade_from_75_and_are_exceeded_from_100_per_cent(make: type[Make], spent: int, status: str) -> None:
    """2500 % is not healthy, and 90 to 100 % is degraded."""
    assert _health(budgets=budget_metrics([make.budget(spent, 1000)], ())).status == status


def test_what_is_only_reserved_exceeds_nothing(make: type[Make]) -> None:
    """Budgets count what is spent: calls in flight make nobody unhealthy."""
    assert _health(budgets=budget_metrics([make.budget(100, 1000, reserved=900)], ())).status == "healthy"


def test_a_budget_that_only_warns_counts_too(make: type[Make]) -> None:
    """Exceeded is exceeded, whatever the action."""
    assert _health(budgets=budget_metrics([make.budget(10, 10, kind="warn")], ())).status == "unhealthy"


@pytest.mark.parametrize(("used", "status"), [(89, "healthy"), (90, "degraded"), (99, "degraded"), (100, "unhealthy")])
@pytest.mark.parametrize("rule", ["requests_per_minute", "requests_per_day", "concurrent"])
def test_limits_degrade_from_90_and_are_exhausted_at_100_per_cent(
    make: type[Make], rule: str, used: int, status: str
) -> None:
    """A used-up daily quota is unhealthy, like every other limit."""
    assert _health(limits=limit_metrics([make.limit(used, 100, rule=rule)])).status == status


@pytest.mark.parametrize(
    ("ok", "failed", "status"),
    [
        (0, 9, "healthy"),
        (9, 1, "healthy"),
        (89, 11, "degraded"),
        (6, 4, "degraded"),
        (5, 5, "unhealthy"),
        (0, 10, "unhealthy"),
    ],
)
def test_the_error_rate_needs_ten_calls(ok: int, failed: int, status: str) -> None:
    """More than 10 % degrades, half or more is unhealthy, fewer than 10 calls say nothing."""
    assert _health(errors=_errors(ok, failed)).status == status


def test_a_failing_ledger_is_unhealthy() -> None:
    """When nothing can be recorded, nothing is well."""
    found = _health(ledger_problem="disk full")

    assert found.status == "unhealthy"
    assert found.reasons[0].text == "The ledger fails: disk full."


def test_reasons_are_sentences_and_the_worst_comes_first(make: type[Make]) -> None:
    """Every reason says what, since when or how much, in the reporting time zone."""
    found = _health(
        breakers=breaker_metrics([make.breaker("firecrawl", state="open", since=SINCE)], {}),
        budgets=budget_metrics(
            [
                make.budget(41_500_000_000, 50 * NANO, budget="anthropic-month"),
                make.budget(2_000_000, 1_000_000, budget="tokens", value="acme", unit="tokens"),
            ],
            (),
        ),
        limits=limit_metrics([make.limit(93, 100)]),
        errors=_errors(80, 20),
    )

    assert [reason.text for reason in found.reasons] == [
        "Budget tokens for acme is exceeded: 200 % (2,000,000 of 1,000,000 tokens).",
        "The breaker of firecrawl (not critical) has been open since 13:58.",
        "Budget anthropic-month is at 83 % ($41.50 of $50.00).",
        "The limit requests per minute of openai is at 93 % (93 of 100).",
        "20 of 100 calls failed in the last 18 minutes (20 %).",
    ]
    assert found.status == "unhealthy"


def test_a_service_without_a_call_is_healthy_and_says_so(make: type[Make]) -> None:
    """No calls yet, none lately, and some are three different things."""
    views = [make.breaker(name) for name in ("busy", "new", "quiet")]
    calls = {"busy": ServiceCalls(calls=1412, failed=3, ever=True), "quiet": ServiceCalls(ever=True)}

    found = _health(breakers=breaker_metrics(views, {}), calls=calls)

    assert [service.text for service in found.services] == [
        "1,412 calls in the last hour, 3 failed",
        "no calls yet",
        "no calls in the last hour",
    ]
    assert found.status == "healthy"
    assert found.reasons == ()
