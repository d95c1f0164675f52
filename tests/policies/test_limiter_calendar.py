from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from switchgear.clock import Moment
from switchgear.policies.calendar import DayOutlook, DayWindow, period_at
from switchgear.policies.limiter import Grant, LimitDenial, Limiter, LimitRule, Queued
from switchgear.policies.window import NEVER, NOWHERE

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
ANGELES = "America/Los_Angeles"


def _wall(text: str, zone: str = ANGELES) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * SECOND


def _moment(text: str) -> Moment:
    wall = _wall(text)
    return Moment(wall - 1_600_000_000 * SECOND, wall)


def _rpd(limit: int, *, calendar: bool = True) -> LimitRule:
    return LimitRule(
        name="requests_per_day",
        unit="requests",
        limit=limit,
        window_us=DAY,
        timezone=ANGELES if calendar else None,
    )


def _denied(answer: object) -> LimitDenial:
    assert isinstance(answer, LimitDenial)
    return answer


@pytest.mark.parametrize(
    ("last", "midnight", "hours"),
    [
        ("2026-03-07T23:59:59", "2026-03-08T00:00:00", 23),
        ("2026-10-31T23:59:59", "2026-11-01T00:00:00", 25),
        ("2026-06-10T23:59:59", "2026-06-11T00:00:00", 24),
    ],
)
def test_limiter_24_a_calendar_day_ends_at_local_midnight(last: str, midnight: str, hours: int) -> None:
    """A day's limit is whole again at local midnight, and the day is as long as the clocks make it."""
    limiter = Limiter([_rpd(3)])
    for _ in range(3):
        assert isinstance(limiter.ask(0, _moment(last), 0), Grant)
    assert _denied(limiter.ask(0, _moment(last), 0)).ready_at == _moment(midnight).mono

    start = _moment(midnight)
    for _ in range(3):
        assert isinstance(limiter.ask(0, start, 0), Grant)
    assert _denied(limiter.ask(0, start, 0)).ready_at == start.mono + hours * HOUR
    almost = Moment(start.mono + hours * HOUR - 1, start.wall + hours * HOUR - 1)
    _denied(limiter.ask(0, almost, 0))
    assert isinstance(limiter.ask(0, Moment(almost.mono + 1, almost.wall + 1), 0), Grant)


def test_limiter_24_a_rolling_day_does_not_move() -> None:
    """Without a time zone a day is any 24 hours, clocks changed or not."""
    limiter = Limiter([_rpd(1, calendar=False)])
    start = _moment("2026-03-08T01:00:00")
    assert isinstance(limiter.ask(0, start, 0), Grant)
    assert _denied(limiter.ask(0, start, 0)).ready_at == start.mono + 24 * HOUR


def test_limiter_24_a_restart_before_midnight_keeps_the_count() -> None:
    """What today has used is told to a new process, and what yesterday used is not counted to it."""
    limiter = Limiter([_rpd(2)])
    now = _moment("2026-11-01T23:59:00")
    limiter.remember(now.mono - 25 * HOUR, 5, 0, now)  # 23:59 of the day before, which had 25 hours
    limiter.remember(now.mono - 24 * HOUR + 60 * SECOND, 1, 0, now)
    limiter.remember(now.mono - SECOND, 1, 0, now)
    assert [used for _, used, _ in limiter.usage(now)] == [2]
    assert _denied(limiter.ask(0, now, 0)).ready_at == now.mono + 60 * SECOND


def test_limiter_22_a_wall_clock_set_back_gives_no_day_twice() -> None:
    """After midnight has passed once, a step back does not bring yesterday's rest or another today."""
    limiter = Limiter([_rpd(1)])
    after = _moment("2026-06-11T00:00:10")
    assert isinstance(limiter.ask(0, after, 0), Grant)
    back = Moment(after.mono + 1, after.wall - HOUR)
    _denied(limiter.ask(0, back, 0))
    again = Moment(after.mono + 2, after.wall + 2)
    _denied(limiter.ask(0, again, 0))


def test_waiters_are_planned_into_the_days_to_come() -> None:
    """Whoever waits for tomorrow, or the day after, gets the midnight at which there is room."""
    limiter = Limiter([_rpd(2)])
    now = _moment("2026-03-07T12:00:00")
    for _ in range(2):
        limiter.ask(0, now, 0)
    slots = [limiter.ask(0, now, 30 * DAY) for _ in range(5)]
    instants = [slot.go_at for slot in slots if isinstance(slot, Queued)]
    first, second = _moment("2026-03-08T00:00:00").mono, _moment("2026-03-09T00:00:00").mono
    assert instants == [first, first, second, second, _moment("2026-03-10T00:00:00").mono]
    assert second - first == 23 * HOUR


def test_a_waiter_for_midnight_goes_by_the_wall_clock() -> None:
    """A wall clock that is set back in the meantime moves the midnight, and the waiter with it."""
    limiter = Limiter([_rpd(1)])
    now = _moment("2026-06-10T23:00:00")
    limiter.ask(0, now, 0)
    waiter = limiter.ask(0, now, DAY)
    assert isinstance(waiter, Queued)
    early = limiter.resume(waiter.slot, Moment(waiter.go_at, now.wall))
    assert isinstance(early, Queued)
    assert early.go_at == waiter.go_at + HOUR
    assert isinstance(limiter.resume(waiter.slot, Moment(early.go_at, now.wall + HOUR)), Grant)


def test_limiter_26_what_was_taken_yesterday_is_not_given_back_today() -> None:
    """A refund after midnight credits nothing; before it, it does."""
    limiter = Limiter([LimitRule(name="tokens_per_day", unit="tokens", limit=10, window_us=DAY, timezone=ANGELES)])
    now, tomorrow = _moment("2026-06-10T23:00:00"), _moment("2026-06-11T01:00:00")
    first, second = limiter.ask(5, now, 0), limiter.ask(5, now, 0)
    assert isinstance(first, Grant)
    assert isinstance(second, Grant)
    limiter.settle(first, 2, now)
    assert [used for _, used, _ in limiter.usage(now)] == [7]
    assert isinstance(limiter.ask(10, tomorrow, 0), Grant)
    limiter.settle(second, 0, tomorrow)
    assert [used for _, used, _ in limiter.usage(tomorrow)] == [10]


def test_a_day_window_forgets_when_it_is_cleared() -> None:
    """A cleared day is empty, and grants from before credit nothing."""
    day = DayWindow(5, "UTC")
    day.expire(0)
    assert day.take(0, 0) == NOWHERE
    cell = day.take(5, 0)
    day.clear()
    day.give(cell, 5)
    assert day.used(0) == 0


def test_a_day_that_is_too_small_never_comes() -> None:
    """More than a day's limit fits into no day."""
    assert DayOutlook(DayWindow(5, "UTC"), Moment(0, 0)).ready(6, 0) == NEVER


def test_periods_follow_each_other() -> None:
    """The end of a period is the start of the next."""
    for period in ("hour", "day", "week", "month"):
        start, end = period_at(period, ANGELES, _wall("2026-10-31T23:30:00"))
        assert start < end
        assert period_at(period, ANGELES, end)[0] == end
