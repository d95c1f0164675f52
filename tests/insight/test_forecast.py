from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.insight import forecast_methods
from switchgear.insight.forecast import Horizon, Outlook, Series, crossing, forecast
from switchgear.insight.forecast_backtest import origins_of, quantile
from switchgear.insight.forecast_methods import HoltWinters

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY, WEEK = 24, 168


def asked(
    values: Sequence[float],
    *,
    steps: int = DAY,
    left: float = 1.0,
    window: int = DAY,
    full_periods: int | None = None,
    holt_winters: bool = False,
) -> Outlook | None:
    """Forecast the *steps* after *values*, a series that begins on a Monday."""
    positions = [step % WEEK for step in range(len(values) + steps)]
    periods = len(values) // DAY if full_periods is None else full_periods
    horizon = Horizon(steps=steps, left=left, window=window, full_periods=periods)
    return forecast(Series(values=values, positions=positions, day=DAY), horizon, holt_winters=holt_winters)


def office(weeks: int, *, noise: float = 0.0, seed: int = 1) -> list[float]:
    """Return office hours: 10 an hour from 8 to 18, Monday to Friday."""
    chance = random.Random(seed)
    return [
        (10.0 if step % WEEK < 5 * DAY and 8 <= step % DAY < 18 else 0.0) * (1 + chance.uniform(-noise, noise))
        for step in range(weeks * WEEK)
    ]


@pytest.mark.parametrize("values", [[], [1.0] * 3, [0.0] * 500, [5.0, 5.0, *[0.0] * 50]])
def test_too_little_history_gives_no_number(values: list[float]) -> None:
    """Hardly anything was used: nothing is invented."""
    assert asked(values) is None


@pytest.mark.parametrize(("hours", "periods"), [(13 * DAY, 13), (WEEK * 3, 2)])
def test_little_history_gives_a_rate_without_a_band(hours: int, periods: int) -> None:
    """Below 14 days or 3 full periods it is the run rate, and no interval."""
    found = asked([2.0] * hours, steps=10, full_periods=periods)

    assert found is not None
    assert (found.method, found.low, found.high, found.origins) == ("run rate", None, None, 0)
    assert found.expected == pytest.approx([2.0 * at for at in range(1, 11)])


def test_a_weekly_pattern_is_found() -> None:
    """On Friday evening the weekend is expected to be empty, whatever the rate of the week was."""
    values = office(6)[: 5 * WEEK + 4 * DAY + 20]

    found = asked(values, steps=4 + 2 * DAY + 12, window=WEEK)

    assert found is not None
    assert found.method == "seasonal-naive (time of week)"
    assert found.expected[-13] == 0.0
    assert found.expected[-1] == pytest.approx(40.0)
    assert found.errors["run rate"] > found.errors["seasonal-naive (time of week)"]


def test_the_band_is_of_past_errors() -> None:
    """Noise makes a band about the expectation; without noise there is none to speak of."""
    calm, noisy = asked(office(8)), asked(office(8, noise=0.9))

    assert calm is not None
    assert noisy is not None
    assert calm.low is not None
    assert calm.high is not None
    assert noisy.low is not None
    assert noisy.high is not None
    assert calm.high[-1] - calm.low[-1] == pytest.approx(0)
    assert noisy.low[-1] < noisy.expected[-1] < noisy.high[-1]
    assert noisy.origins >= 24


def test_only_what_is_left_of_the_running_step_counts() -> None:
    """Half an hour before the end of the day half an hour is expected."""
    found = asked([2.0] * (3 * WEEK - 1), steps=1, left=0.5)

    assert found is not None
    assert found.expected == pytest.approx([1.0])


@settings(max_examples=15, deadline=None)
@given(
    values=st.lists(st.floats(0, 1e12, allow_subnormal=False), min_size=8 * DAY, max_size=9 * DAY),
    steps=st.integers(1, DAY),
    left=st.floats(0, 1),
)
def test_bands_are_in_order_and_never_fall(values: list[float], steps: int, left: float) -> None:
    """Whatever the history: what is used up only grows, and low is below expected is below high."""
    found = asked(values, steps=steps, left=left)

    if found is not None and found.low is not None and found.high is not None:
        for low, expected, high in zip(found.low, found.expected, found.high, strict=True):
            assert 0 <= low <= expected <= high
        for path in (found.low, found.expected, found.high):
            assert list(path) == sorted(path)
            assert len(path) == steps


def test_the_same_history_gives_the_same_forecast() -> None:
    """No chance is in it."""
    assert asked(office(5, noise=0.5)) == asked(office(5, noise=0.5))


def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    """Of 60 made weeks, asked on any day, 70 to 90 % lie in the 80 % band."""
    inside = 0
    for seed in range(60):
        values = office(10, noise=0.9, seed=seed)
        at = 8 * WEEK + seed % 7 * DAY + 10
        found = asked(values[:at], steps=14)
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        inside += found.low[-1] <= sum(values[at : at + 14]) + 1e-9 <= found.high[-1] + 2e-9

    assert 42 <= inside <= 54


def test_a_limit_is_crossed_within_a_step() -> None:
    """A step is taken to be even; the running one is as long as what is left of it."""
    path = (1.0, 3.0, 3.0, 5.0)

    assert crossing(path, 0.5, 0.5) == pytest.approx(0.25)
    assert crossing(path, 2.0, 0.5) == pytest.approx(1.0)
    assert crossing(path, 4.0, 0.5) == pytest.approx(3.0)
    assert crossing(path, 5.1, 0.5) is None
    assert crossing((0.0, 2.0), 0.0, 1.0) == 0.0


def test_past_forecasts_are_made_at_the_same_time_of_day() -> None:
    """With history enough all are; with little the hours beside it are taken too."""
    positions = [step % WEEK for step in range(60 * DAY)]
    enough = origins_of(positions, 50 * DAY + 9, warm_up=DAY, steps=15, day=DAY)
    few = origins_of(positions, 9 * DAY + 9, warm_up=DAY, steps=15, day=DAY)

    assert {origin % DAY for origin in enough} == {9}
    assert {origin % DAY for origin in few} == {8, 9, 10}
    assert max(few) + 15 <= 9 * DAY + 9


def test_quantiles_lie_between_their_neighbours() -> None:
    """From the least to the greatest, in proportion."""
    assert [quantile([1.0, 2.0, 4.0], share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert quantile([], 0.5) == 0.0


def test_without_statsmodels_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holt-Winters is an extra: where it is not installed, it is not tried."""
    monkeypatch.setattr(forecast_methods, "find_spec", lambda name: None)
    found = asked(office(8, noise=0.5), holt_winters=True)

    assert found is not None
    assert "Holt-Winters (day of week)" not in found.errors


def test_holt_winters_follows_a_trend() -> None:
    """With the extra `forecast` a growing series is expected to grow on."""
    pytest.importorskip("statsmodels")
    values = [float(10 + step // DAY) for step in range(9 * WEEK)]
    method = HoltWinters.fit(values, DAY, before=8 * WEEK)

    assert method is not None
    assert sum(method.expected(9 * WEEK, DAY)) == pytest.approx(24 * 73, rel=0.03)
    assert HoltWinters.fit(values, DAY, before=2 * WEEK) is None
    assert HoltWinters.fit([0.0] * len(values), DAY, before=8 * WEEK) is not None


def test_holt_winters_is_chosen_where_it_errs_least() -> None:
    """It is one of the methods that the back-test weighs."""
    pytest.importorskip("statsmodels")
    values = [float(5 * (step // DAY)) for step in range(9 * WEEK)]

    found = asked(values, holt_winters=True)

    assert found is not None
    assert found.errors[found.method] == min(found.errors.values())
    assert "Holt-Winters (day of week)" in found.errors
