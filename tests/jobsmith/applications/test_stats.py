"""Every number is counted a second time, from local dates, one application after the other."""

from __future__ import annotations

import datetime as dt
import random
import zlib
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import mongomock
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.jobsmith.applications.conftest import Desk, MakeDesk

from jobsmith.applications import ApplicationsError
from jobsmith.applications.counting import SqlCounting
from jobsmith.applications.mongo import Fields, MongoCounting
from jobsmith.applications.periods import frame, to_micros
from jobsmith.applications.place import Place
from jobsmith.applications.schema import APPLICATIONS
from jobsmith.applications.stats import ApplicationStats, Counting, stats_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from jobsmith.applications.periods import Mode

ZONES = (
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",  # puts its clocks forward at midnight
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Beirut",  # as Havana
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Kiritimati",
)
NOWS = (
    "2026-11-24T13:00:00Z",
    "2026-03-29T00:30:00Z",  # Vienna's short day
    "2026-10-25T01:30:00Z",  # its long one
    "2026-03-08T06:59:59.999Z",
    "2026-11-01T05:00:00Z",
    "2026-12-31T23:00:00Z",
    "2027-01-01T00:00:00Z",
    "2028-02-29T12:00:00Z",
    "2011-12-31T12:00:00Z",
    "2026-03-29T22:00:00Z",
)
DAY = dt.timedelta(days=1)

Numbers = tuple[int, int, int, int, int, int, Decimal | None]


def numbers(stats: ApplicationStats) -> Numbers:
    """Return what is compared."""
    return (
        stats.today,
        stats.week,
        stats.month,
        stats.total,
        stats.without_date,
        stats.streak_days,
        stats.daily_average,
    )


def counted(
    dates: Sequence[dt.datetime | None],
    now: dt.datetime,
    zone: ZoneInfo,
    *,
    mode: Mode = "calendar",
    week_start: int = 0,
) -> Numbers:
    """Count *dates* one by one, by what clocks and calendars in *zone* showed."""
    today = now.astimezone(zone).date()
    days = [None if date is None else date.astimezone(zone).date() for date in dates]
    known = [day for day in days if day is not None]

    def in_week(day: dt.date) -> bool:
        return day - DAY * ((day.weekday() - week_start) % 7) == today - DAY * ((today.weekday() - week_start) % 7)

    in_periods = (
        sum(day == today for day in known),
        sum(in_week(day) for day in known),
        sum((day.year, day.month) == (today.year, today.month) for day in known),
    )
    if mode == "rolling":
        ages = [now - date for date in dates if date is not None]
        in_periods = tuple(sum(age < DAY * span for age in ages) for span in (1, 7, 30))  # type: ignore[assignment]  # three of them
    there_was_a = _calendar(zone, today)
    busy = set(known)
    streak, at = 0, 0 if today in busy else 1
    while at < len(there_was_a) and there_was_a[at] in busy:
        streak, at = streak + 1, at + 1
    average = None
    if known and (first := min(known)) <= today:
        span = min(30, (today - first).days + 1)
        recent = sum(today - 29 * DAY <= day <= today for day in known)
        average = (Decimal(recent) / span).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return (*in_periods, len(dates), days.count(None), streak, average)


def _calendar(zone: ZoneInfo, today: dt.date) -> list[dt.date]:
    """Return the days that there were in *zone*, today first."""
    missing = {dt.date(2011, 12, 30)} if zone.key == "Pacific/Apia" else set()
    return [day for back in range(1500) if (day := today - DAY * back) not in missing]


def sql(dates: Iterable[dt.datetime | None], place: Place) -> Counting:
    """Return the counting of a store that has *dates*."""
    rows = [
        {
            "id": f"{number:09}",
            "role": "Engineer",
            "company": "Acme",
            "place": "",
            "url": "",
            "status": "applied",
            "applied_at": None if date is None else to_micros(date),
            "cost_nano": 0,
            "created_at": number,
            "updated_at": number,
        }
        for number, date in enumerate(dates)
    ]
    with place.writing() as connection:
        connection.execute(APPLICATIONS.delete())
        if rows:
            connection.execute(APPLICATIONS.insert(), rows)
    return SqlCounting(place)


def mongo(dates: Iterable[dt.datetime | None]) -> Counting:
    """Return the counting of a collection that has *dates*, and what must not be counted."""
    collection: Any = mongomock.MongoClient()["jobs"]["sent"]
    documents: list[dict[str, Any]] = [
        {"state": "applied", "sent": {"on": date}} if date else {"state": "applied"} for date in dates
    ]
    collection.insert_many([*documents, {"state": "draft", "sent": {"on": dt.datetime(2026, 11, 24, tzinfo=dt.UTC)}}])
    return MongoCounting(collection, Fields(status="state", applied="applied", date="sent.on"))


def ask(counting: Counting, now: dt.datetime, zone: ZoneInfo, mode: Mode = "calendar", week_start: int = 0) -> Numbers:
    """Return what *counting* makes of it."""
    at = to_micros(now)
    found = stats_of(counting, frame(at, zone, mode=mode, week_start=week_start), now=at, mode=mode, goals={})
    return numbers(found)


def near(now: dt.datetime, seed: int, count: int) -> list[dt.datetime | None]:
    """Return dates around *now*: close to hours, to midnights, to clock changes, and some that are unknown."""
    chance = random.Random(seed)
    found: list[dt.datetime | None] = []
    for _ in range(count):
        back = chance.choice((2, 40, 40, 400)) * chance.random()
        date = now - dt.timedelta(days=back)
        if chance.random() < 0.6:
            date = date.replace(minute=chance.choice((0, 15, 30, 45)), second=0, microsecond=0)
            date += dt.timedelta(milliseconds=chance.choice((-1, 0, 1)))
        date = min(date, now)
        date = date.replace(microsecond=date.microsecond // 1000 * 1000)
        found.append(None if chance.random() < 0.05 else date)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place for records."""
    made = Place(f"sqlite:///{tmp_path}/stats.db")
    yield made
    made.close()


@pytest.mark.parametrize("now", NOWS)
@pytest.mark.parametrize("zone", ZONES)
def test_periods_are_those_of_the_calendar(place: Place, zone: str, now: str) -> None:
    """Around midnights, month ends and clock changes, SQL and MongoDB count what a person would."""
    at, where = dt.datetime.fromisoformat(now), ZoneInfo(zone)
    dates = near(at, seed=zlib.crc32(f"{zone} {now}".encode()), count=150)
    expected = counted(dates, at, where)

    assert ask(sql(dates, place), at, where) == expected
    assert ask(mongo(dates), at, where) == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    now=st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2029, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    seed=st.integers(0, 10_000),
    mode=st.sampled_from(["calendar", "rolling"]),
    week_start=st.sampled_from([0, 5, 6]),
)
def test_any_time_zone_at_any_time(
    place: Place, zone: str, now: dt.datetime, seed: int, mode: Mode, week_start: int
) -> None:
    """Calendar and rolling periods, weeks from Monday, Saturday or Sunday: as counted one by one."""
    where, at = ZoneInfo(zone), now.replace(microsecond=now.microsecond // 1000 * 1000)
    dates = near(at, seed, 60)
    expected = counted(dates, at, where, mode=mode, week_start=week_start)

    assert ask(sql(dates, place), at, where, mode, week_start) == expected
    assert ask(mongo(dates), at, where, mode, week_start) == expected


def test_postgresql_counts_the_same(make_postgres: Callable[[], str]) -> None:
    """On a real server, for several zones."""
    server = Place(make_postgres())
    at = dt.datetime(2026, 11, 1, 5, 30, tzinfo=dt.UTC)
    dates = near(at, 5, 400)
    try:
        counting = sql(dates, server)
        for zone in map(ZoneInfo, ZONES[:5]):
            assert ask(counting, at, zone) == counted(dates, at, zone)
        assert counting.source == "postgresql"
    finally:
        server.close()


@pytest.mark.parametrize("days", [1, 2, 99, 100, 101, 102, 365, 1200])
@pytest.mark.parametrize("today", [True, False])
def test_a_streak_may_be_of_any_length(place: Place, days: int, today: bool) -> None:  # noqa: FBT001 - pytest passes it
    """So many days in a row, up to today or to yesterday, and one day long before."""
    at, where = dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC), ZoneInfo("Europe/Vienna")
    begin = at if today else at - DAY
    dates: list[dt.datetime | None] = [begin - DAY * back for back in range(days)]
    dates.append(begin - DAY * (days + 3))

    assert ask(sql(dates, place), at, where)[5] == days
    assert ask(mongo(dates), at, where)[5] == days


def test_what_is_no_date_in_mongodb_is_without_one(make_desk: MakeDesk) -> None:
    """Missing, null, text, a number, a list and dates beyond reason count in the total and in no period."""
    collection: Any = mongomock.MongoClient()["jobs"]["applications"]
    now = dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC)
    odd: list[dict[str, Any]] = [
        {},
        {"applied_at": None},
        {"applied_at": "2026-11-24"},
        {"applied_at": 1_795_521_600},
        {"applied_at": dt.datetime(9999, 12, 31, tzinfo=dt.UTC)},
        {"applied_at": dt.datetime(1, 1, 1, tzinfo=dt.UTC)},
    ]
    collection.insert_many([{"status": "applied", **each} for each in [*odd, {"applied_at": now}]])
    collection.insert_one({"status": "Applied", "applied_at": now})
    found = ask(MongoCounting(collection, Fields()), now, ZoneInfo("UTC"))

    assert found == (1, 1, 1, 7, 6, 1, Decimal("1.00"))


def test_an_empty_collection_counts_nothing() -> None:
    """No document, no number."""
    assert ask(mongo([]), dt.datetime(2026, 11, 24, tzinfo=dt.UTC), ZoneInfo("UTC")) == (0, 0, 0, 0, 0, 0, None)


def test_a_mongodb_that_is_not_there_is_told(make_desk: MakeDesk) -> None:
    """No server, no variable, no database: one sentence each, and never the password."""
    there = {"JOBS_MONGO": "mongodb://me:hush@127.0.0.1:9/jobs?serverSelectionTimeoutMS=50"}
    desk = make_desk('[applications]\nmongo = { url_env = "JOBS_MONGO" }\n', environ=there)
    with pytest.raises(ApplicationsError, match="can't be counted") as caught:
        desk.applications.stats()
    assert "hush" not in str(caught.value)
    with pytest.raises(ApplicationsError, match="JOBS_MONGO is not set"):
        make_desk('[applications]\nmongo = { url_env = "JOBS_MONGO" }\n').applications.stats()
    with pytest.raises(ApplicationsError, match="database"):
        make_desk('[applications]\nmongo = { url = "mongodb://127.0.0.1:9" }\n').applications.stats()


def test_goals_say_how_far_it_is(make_desk: MakeDesk) -> None:
    """A goal is reached at its number, and its percentage is rounded down until then."""
    desk: Desk = make_desk("[applications]\ngoals = { day = 2, week = 3 }\n")
    for number in range(2):
        desk.applications.record(job=f"job-{number}")
        desk.applications.set_status(f"job-{number}", "applied", by="x")
    found = desk.applications.stats()

    assert [(goal.period, goal.count, goal.percent, goal.reached) for goal in found.goals] == [
        ("day", 2, 100, True),
        ("week", 2, 66, False),
    ]


def test_what_came_of_it_still_was_sent(make_desk: MakeDesk) -> None:
    """Rejected, invited or withdrawn, it counts for the day it was sent on; a draft and a withdrawn draft never do."""
    desk = make_desk()
    for status in ("interview", "offer", "rejected", "withdrawn"):
        desk.applications.record(job=status)
        desk.applications.set_status(status, "applied", at="2026-11-20", by="x")
        desk.applications.set_status(status, status, by="x")
    for status in ("drafted", "ready", "withdrawn", "interview"):
        desk.applications.record(job=f"only-{status}")
        desk.applications.set_status(f"only-{status}", status, by="x")
    found = desk.applications.stats()

    assert (found.today, found.month, found.total, found.without_date) == (0, 4, 5, 1)


def test_one_statement_counts_everything(place: Place) -> None:
    """The usual look is one query, whatever there is."""
    from sqlalchemy import event

    at = dt.datetime(2026, 11, 24, 13, tzinfo=dt.UTC)
    counting = sql(near(at, 3, 50), place)
    statements: list[str] = []
    engine = place._opened()  # noqa: SLF001 - to see what it is asked
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, statement, *_: statements.append(statement))
    ask(counting, at, ZoneInfo("Europe/Vienna"))

    assert [statement.split()[0] for statement in statements] == ["BEGIN", "WITH"]
