from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.insight.days import (
    clock_text,
    day_start,
    from_micros,
    hour_start,
    month_start,
    next_day_start,
    to_micros,
)

VIENNA = ZoneInfo("Europe/Vienna")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
HOUR = 3_600_000_000
instants = st.integers(min_value=0, max_value=4_000_000_000_000_000)
zones = st.sampled_from([ZoneInfo("UTC"), VIENNA, KATHMANDU, ZoneInfo("America/St_Johns")])


def _at(text: str) -> int:
    return to_micros(dt.datetime.fromisoformat(text))


def test_a_day_begins_at_local_midnight() -> None:
    """Half past midnight in Vienna belongs to the new day though UTC is still in the old one."""
    assert day_start(_at("2026-11-23T23:30:00+00:00"), VIENNA) == _at("2026-11-24T00:00:00+01:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-24", 24)])
def test_a_day_is_as_long_as_its_clock_changes(day: str, hours: int) -> None:
    """The days of the time change have 23 and 25 hours."""
    noon = _at(f"{day}T11:00:00+00:00")

    assert next_day_start(noon, VIENNA) - day_start(noon, VIENNA) == hours * HOUR


def test_a_month_begins_at_local_midnight_of_its_first() -> None:
    """The last hour of October in UTC is November in Kathmandu."""
    assert month_start(_at("2026-10-31T23:00:00+00:00"), KATHMANDU) == _at("2026-11-01T00:00:00+05:45")


@given(instant=instants, zone=zones)
def test_a_day_holds_its_instants(instant: int, zone: ZoneInfo) -> None:
    """Every instant is in the day that is cut around it, and the day is in its month."""
    assert month_start(instant, zone) <= day_start(instant, zone) <= instant < next_day_start(instant, zone)


@given(instant=instants, zone=zones)
def test_an_hour_begins_on_the_hour(instant: int, zone: ZoneInfo) -> None:
    """An hour is one of the wall clock, whatever the zone's offset, and holds its instant."""
    start = hour_start(instant, zone)

    assert from_micros(start).astimezone(zone).minute == 0
    assert 0 <= instant - start < HOUR


@given(instant=instants)
def test_instants_survive_the_round_trip(instant: int) -> None:
    """Not a microsecond is lost between integers and datetimes."""
    assert to_micros(from_micros(instant)) == instant


def test_the_day_is_named_only_when_it_is_not_today() -> None:
    """Today is told by the clock alone."""
    now = dt.datetime(2026, 11, 24, 13, 3, tzinfo=dt.UTC)

    assert clock_text(now - dt.timedelta(minutes=5), now, VIENNA) == "13:58"
    assert clock_text(now - dt.timedelta(days=1), now, VIENNA) == "23 Nov 14:03"
