from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from switchgear.config.model import Config
from switchgear.errors import LedgerError, StateError
from switchgear.insight.days import to_micros
from switchgear.insight.snapshot import MetricsCollector
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from tests.insight.conftest import FakeLedger, FakeState, Make

CONFIG = Config.model_validate(
    {
        "server": {"reporting_timezone": "Europe/Vienna"},
        "services": {"openai": {"kind": "openai", "critical": True}, "mirror": {"provider": "openai"}},
    }
)
NOW = dt.datetime(2026, 11, 24, 13, 3, 7, tzinfo=dt.UTC)
MINUTE = 60 * 1_000_000


def _at(text: str) -> int:
    return to_micros(dt.datetime.fromisoformat(text))


@pytest.fixture
def collector(ledger: FakeLedger, state: FakeState) -> MetricsCollector:
    """A collector that looks at one afternoon in Vienna."""
    return MetricsCollector(ledger, state, ManualClock(start=NOW.timestamp()), config=CONFIG)


def test_today_and_the_month_are_cut_in_the_reporting_time_zone(
    collector: MetricsCollector, ledger: FakeLedger, make: type[Make]
) -> None:
    """What was spent at 23:30 UTC of yesterday is today's in Vienna; the first hour of November is the month's."""
    ledger.rows = [
        make.totals(_at("2026-11-24T12:45:00+00:00"), calls=1, cost=1_000_000_000),
        make.totals(_at("2026-11-23T23:30:00+00:00"), calls=1, cost=2_000_000_000),
        make.totals(_at("2026-11-23T22:30:00+00:00"), calls=1, cost=4_000_000_000),
        make.totals(_at("2026-10-31T23:00:00+00:00"), calls=1, cost=8_000_000_000),
        make.totals(_at("2026-10-31T22:45:00+00:00"), calls=1, cost=16_000_000_000),
    ]

    found = collector.snapshot()

    assert found.today.cost_usd == Decimal(3)
    assert found.month.cost_usd == Decimal(15)


def test_errors_are_those_of_the_last_5_to_20_minutes(
    collector: MetricsCollector, ledger: FakeLedger, make: type[Make]
) -> None:
    """At three past the hour the quarter before still counts, the one before that does not."""
    ledger.rows = [
        make.totals(_at("2026-11-24T12:45:00+00:00"), calls=10, ok=4, failed=6),
        make.totals(_at("2026-11-24T12:30:00+00:00"), calls=90, ok=90),
    ]

    found = collector.snapshot()

    assert (found.errors.ok, found.errors.failed) == (4, 6)
    assert found.health.status == "unhealthy"
    assert found.hour.ok == 94


def test_a_snapshot_is_plain_json(
    collector: MetricsCollector, ledger: FakeLedger, state: FakeState, make: type[Make]
) -> None:
    """Money is decimal text without exponent, instants RFC 3339 in UTC, and it says its version."""
    ledger.rows = [make.totals(_at("2026-11-24T12:45:00+00:00"), calls=1, ok=1, cost=1)]
    state.breaker_views = [
        make.breaker("mirror"),
        make.breaker("openai", state="open", since=_at("2026-11-24T12:58:00+00:00")),
    ]

    found = json.loads(json.dumps(collector.snapshot().to_dict()))

    assert found["version"] == 1
    assert found["today"]["cost_usd"] == "0.000000001"
    assert found["generated_at"] == "2026-11-24T13:03:07Z"
    assert found["breaker_states"] == {"closed": 1, "open": 1}
    assert found["health"]["status"] == "unhealthy"
    assert found["today"]["by_provider"][0]["name"] == "openai"


def test_the_order_of_reading_does_not_matter(
    collector: MetricsCollector, ledger: FakeLedger, make: type[Make]
) -> None:
    """A dashboard that is polled before the first call sees that call later: nothing is remembered."""
    before = collector.snapshot().today.calls
    ledger.rows = [make.totals(_at("2026-11-24T12:45:00+00:00"), calls=1)]

    assert (before, collector.snapshot().today.calls) == (0, 1)


def test_a_ledger_that_cannot_be_read_is_a_status(collector: MetricsCollector, ledger: FakeLedger) -> None:
    """Health answers even then, and says why."""
    ledger.error = LedgerError("database is locked")

    found = collector.health()

    assert found.status == "unhealthy"
    assert found.reasons[0].text == "The ledger fails: database is locked."
    with pytest.raises(LedgerError):
        collector.snapshot()


def test_the_latency_is_of_the_last_hour(collector: MetricsCollector, ledger: FakeLedger) -> None:
    """p95 is in milliseconds, and None without calls."""
    without = collector.snapshot().hour.p95_ms
    ledger.p95 = 2_100_000

    assert (without, collector.snapshot().hour.p95_ms) == (None, 2100.0)


def test_the_collector_reads_a_bounded_number_of_sums(collector: MetricsCollector, ledger: FakeLedger) -> None:
    """A snapshot asks for four sums, however many calls there are."""
    collector.snapshot()

    assert len([asked for asked in ledger.asked if "by" in asked]) == 4


def test_a_state_that_can_not_be_reached_is_a_status(
    collector: MetricsCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the live numbers health is unhealthy and says which store fails, instead of raising."""

    def unreachable(_: object) -> None:
        msg = "the server does not answer"
        raise StateError(msg)

    monkeypatch.setattr(collector, "_live", unreachable)
    health = collector.health()
    assert health.status == "unhealthy"
    assert health.reasons[0].text == "The shared state fails: the server does not answer."
