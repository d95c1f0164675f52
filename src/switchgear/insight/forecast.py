"""What will have been used by the end of a period: a method that its own past errors choose, and its 80 % band.

Pure functions over a series. Inside are floats: this is statistics, not bookkeeping. Whoever shows
the numbers turns them into whole nano-USD or tokens again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.forecast_backtest import Backtest, backtest, origins_of
from switchgear.insight.forecast_methods import HoltWinters, Profile, RunRate

if TYPE_CHECKING:
    from switchgear.insight.forecast_backtest import Method

__all__ = ["TOO_LITTLE", "TOO_LITTLE_FOR_AN_INTERVAL", "Horizon", "Outlook", "Series", "crossing", "forecast"]

TOO_LITTLE: Final = "too little history"
TOO_LITTLE_FOR_AN_INTERVAL: Final = "too little history for an interval"

_LEAST_STEPS: Final = 4
_LEAST_USED: Final = 3
_LEAST_DAYS: Final = 14
"""Two weeks: one alone can't tell what is a weekday's habit and what was chance."""

_LEAST_PERIODS: Final = 3
_LEAST_ORIGINS: Final = 12
_MOST_ORIGINS: Final = 90
_RATHER: Final = 4
"""So many times what a method needs at least is what it rather has."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What was used in each step of the past, oldest first, and where each step lies in its week.

    Attributes:
        values: of the steps that are over.
        positions: the place in its week, from 0, of each of them and of every step of the horizon.
        day: steps in a day; a week has seven times as many.
    """

    values: Sequence[float]
    positions: Sequence[int]
    day: int


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to come of the period.

    Attributes:
        steps: how many steps are not over, the running one included; at least 1.
        left: the part of the running step that is still to come, from 0 to 1.
        window: over how many steps the run rate is taken.
        full_periods: how many whole periods the history covers.
    """

    steps: int
    left: float
    window: int
    full_periods: int


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is expected to be used from now to the end of each coming step, added up.

    Attributes:
        method: the one that was chosen, in words.
        expected: never falls.
        low: likewise, the lower end of the band; None where there is too little history for one.
        high: likewise, the upper end.
        origins: how many past forecasts the choice and the band are from; 0: none were made.
        errors: the mean absolute error of each method at the end of the horizon, as a share of the
            mean of what was used over as long a time.
    """

    method: str
    expected: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    origins: int = 0
    errors: dict[str, float] = {}


def forecast(series: Series, horizon: Horizon, *, holt_winters: bool = True) -> Outlook | None:
    """Return the outlook, or None where there is too little history for any number.

    With less than 3 full periods or 14 days it is the run rate, without a band.

    Args:
        series: the past.
        horizon: what is to come.
        holt_winters: try Holt-Winters too, where statsmodels is installed.
    """
    values = series.values
    if len(values) < _LEAST_STEPS or sum(value > 0 for value in values) < _LEAST_USED:
        return None
    rate = RunRate(values, horizon.window)
    enough = horizon.full_periods >= _LEAST_PERIODS and len(values) >= _LEAST_DAYS * series.day
    tested = _best(series, horizon, rate, holt_winters=holt_winters) if enough else None
    if tested is None:
        return Outlook(method=rate.name, expected=_added(rate.expected(len(values), horizon.steps), horizon.left))
    best, errors = tested
    expected = best.method.expected(len(values), horizon.steps)
    path = _added(expected, horizon.left)
    scale = best.scale(len(values), expected)
    ends = [best.band_at(at) for at in range(len(path))]
    low, middle, high = (_moved(path, [end[which] * scale for end in ends]) for which in range(3))
    return Outlook(
        method=best.method.name, expected=middle, low=low, high=high, origins=len(best.errors), errors=errors
    )


def crossing(path: Sequence[float], room: float, left: float) -> float | None:
    """Return after how many steps from now *path* reaches *room*, within steps at an even pace; None: it does not."""
    before, passed = 0.0, 0.0
    for at, used in enumerate(path):
        length = left if at == 0 else 1.0
        if used >= room:
            return passed + (length * (room - before) / (used - before) if used > before else 0.0)
        before, passed = used, passed + length
    return None


def _best(
    series: Series, horizon: Horizon, rate: RunRate, *, holt_winters: bool
) -> tuple[Backtest, dict[str, float]] | None:
    """Return the back-test of the method with the least error, and the error of each; None: no past forecasts."""
    week = 7 * series.day
    profiles = [Profile(series.values, series.positions, size) for size in (week, series.day)]
    methods: list[Method] = [*profiles, rate]
    origins: Sequence[int] = ()
    # What needs the longest history comes first; it has to leave enough of it to be tested on. An
    # early forecast, which knew little, errs more than one of today: none is made if there are others.
    while methods and len(origins) < _LEAST_ORIGINS:
        for warm_up in (_RATHER * methods[0].warm_up, methods[0].warm_up):
            origins = origins_of(
                series.positions, len(series.values), warm_up=warm_up, steps=horizon.steps, day=series.day
            )
            if len(origins) >= _LEAST_ORIGINS:
                break
        else:
            methods.pop(0)
    if not methods:
        return None
    origins = origins[:_MOST_ORIGINS]
    if holt_winters and (fitted := HoltWinters.fit(series.values, series.day, before=min(origins))) is not None:
        methods.append(fitted)
    tests = [backtest(method, series.values, origins, horizon.steps, horizon.left, week) for method in methods]
    tests.sort(key=lambda test: test.error)
    return tests[0], {test.method.name: round(test.error, 4) for test in tests}


def _moved(path: Sequence[float], errors: Sequence[float]) -> tuple[float, ...]:
    """Return *path* moved by *errors*, one for each step; it never falls, nor below 0."""
    moved = [max(0.0, used + error) for used, error in zip(path, errors, strict=True)]
    # From the end back, so that the end, which is the figure that is shown, stays what it is.
    return tuple(accumulate(reversed(moved), min))[::-1]


def _added(expected: Sequence[float], left: float) -> tuple[float, ...]:
    return tuple(accumulate((expected[0] * left, *expected[1:])))
