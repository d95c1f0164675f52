from __future__ import annotations

import pytest

from switchgear.alerts.past import QUARTER_US, Quarter, cost_score, error_score, is_silent, usual

HOUR = 4 * QUARTER_US
DAY = 24 * HOUR
NOW = 20_000 * DAY
CENT = 10_000_000


def quarters(count: int, *, cost: int = 100 * CENT, failed: int = 1, answered: int = 100) -> list[Quarter]:
    """Return the last *count* quarters before NOW, all alike."""
    return [Quarter(NOW - (count - at) * QUARTER_US, answered, failed, cost) for at in range(count)]


def test_too_little_is_known_of_a_young_service() -> None:
    """With fewer than sixteen quarters with calls there is nothing to compare with."""
    assert usual(quarters(15), now=NOW) == []
    assert len(usual(quarters(16), now=NOW)) == 16
    assert cost_score(10**12, [], window_us=QUARTER_US) is None
    assert error_score(90.0, []) is None


def test_the_same_hour_of_the_week_goes_before_the_last_days() -> None:
    """Monday morning is compared with Monday mornings, where two of them are known."""
    mondays = [Quarter(NOW - week * 7 * DAY + at * QUARTER_US, 50, 0, 500) for week in (1, 2) for at in range(-4, 4)]
    nights = [Quarter(NOW - 3 * DAY + at * QUARTER_US, 50, 0, 1) for at in range(40)]

    assert {each.cost for each in usual([*mondays, *nights], now=NOW)} == {500}
    assert {each.cost for each in usual([*mondays[:8], *nights], now=NOW)} >= {1}


def test_quarters_without_calls_are_no_past() -> None:
    """A service that works one hour a day is compared with that hour."""
    idle = [Quarter(NOW - at * QUARTER_US, 0, 0, 0) for at in range(20, 300)]

    assert len(usual([*idle, *quarters(16)], now=NOW)) == 16


def test_one_outlier_of_the_past_hides_nothing() -> None:
    """A day on which everything cost a thousand times as much does not make today's tenfold normal."""
    past = [*quarters(40), Quarter(NOW - 50 * QUARTER_US, 100, 1, 100_000 * CENT)]

    score = cost_score(1000 * CENT, past, window_us=QUARTER_US)
    assert score is not None
    assert score > 6
    assert cost_score(130 * CENT, past, window_us=QUARTER_US) == pytest.approx(3.0)


def test_what_costs_next_to_nothing_is_no_spike() -> None:
    """Ten times a hundredth of a cent stays below the least spread that counts."""
    score = cost_score(CENT // 10, quarters(20, cost=CENT // 100), window_us=QUARTER_US)

    assert score is not None
    assert score < 1


def test_an_error_rate_is_far_off_from_nine_points_on() -> None:
    """A service that never fails may fail for a few per cent without an alarm."""
    past = quarters(20, failed=0)

    assert error_score(9.0, past) == pytest.approx(6.0)


def test_silence_is_where_calls_usually_are() -> None:
    """No call in a window that has a hundred on other days is silence; any call, or a young service, is none."""
    busy = quarters(4 * 24 * 8)

    assert is_silent(0, busy, now=NOW, window_us=2 * QUARTER_US) is True
    assert is_silent(1, busy, now=NOW, window_us=2 * QUARTER_US) is False
    assert is_silent(0, quarters(3), now=NOW, window_us=2 * QUARTER_US) is None
    assert is_silent(0, quarters(4 * 24 * 8, answered=2), now=NOW, window_us=2 * QUARTER_US) is False


def test_a_night_without_calls_is_usual() -> None:
    """A service that rests at this hour every day is not silent."""
    days = [Quarter(NOW - day * DAY + at * QUARTER_US, 100, 0, 1) for day in range(1, 9) for at in range(8, 40)]

    assert is_silent(0, days, now=NOW, window_us=2 * QUARTER_US) is False
