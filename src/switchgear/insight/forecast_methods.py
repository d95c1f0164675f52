"""Ways to expect the next steps of a series from those before."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HoltWinters", "Profile", "RunRate"]

_SEASONS: Final = 4
"""How many days or weeks a profile is the mean of: enough to calm noise, few enough to follow a change."""

_MOST_WEEKS: Final = 12
_LEAST_WEEKS: Final = 3
_WEEK: Final = 7


class RunRate:
    """Goes on as in the last *window* steps, or as many as there are."""

    def __init__(self, values: Sequence[float], window: int) -> None:
        self._values: Final = values
        self._window: Final = window
        self.name: Final = "run rate"
        self.warm_up: Final = window

    def expected(self, origin: int, steps: int) -> list[float]:
        """Return what the *steps* from step *origin* on are expected to be, knowing those before it."""
        known = self._values[max(0, origin - self._window) : origin]
        return [sum(known) / len(known)] * steps


class Profile:
    """Each step is as the same time of day (or of the week) was, on average over the last four."""

    def __init__(self, values: Sequence[float], positions: Sequence[int], size: int) -> None:
        week = max(positions) + 1
        self._values: Final = values
        self._places: Final = [position % size for position in positions]
        self._found: Final[list[list[int]]] = [[] for _ in range(size)]
        for at in range(len(values)):
            self._found[self._places[at]].append(at)
        self.name: Final = f"seasonal-naive (time of {'day' if size < week else 'week'})"
        self.warm_up: Final = 2 * size if size < week else size

    def expected(self, origin: int, steps: int) -> list[float]:
        """Return what the *steps* from step *origin* on are expected to be, knowing those before it."""
        means: dict[int, float] = {}
        for place in self._places[origin : origin + steps]:
            if place not in means:
                same = self._found[place]
                last = bisect_left(same, origin)
                known = [self._values[at] for at in same[max(0, last - _SEASONS) : last]]
                means[place] = sum(known) / len(known) if known else 0.0
        return [means[place] for place in self._places[origin : origin + steps]]


class HoltWinters:
    """Level, damped trend and day of the week, each smoothed exponentially (statsmodels).

    It sees days, which end at the step to forecast from; within a day it expects the shape that
    days had on average.
    """

    def __init__(self, values: Sequence[float], day: int, parameters: Mapping[str, float]) -> None:
        self._values: Final = values
        self._day: Final = day
        self._parameters: Final = parameters
        self.name: Final = "Holt-Winters (day of week)"
        self.warm_up: Final = _LEAST_WEEKS * _WEEK * day

    @classmethod
    def fit(cls, values: Sequence[float], day: int, *, before: int) -> HoltWinters | None:
        """Return the method with parameters learnt from the steps before step *before*.

        None where statsmodels is not installed, or there are less than three weeks.
        """
        days = _days(values, day, before)
        if len(days) < _LEAST_WEEKS * _WEEK or find_spec("statsmodels") is None:
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may not converge; the back-test tells whether it serves
            found = _model([sum(steps) for steps in days]).fit()
        names = ("smoothing_level", "smoothing_trend", "smoothing_seasonal", "damping_trend")
        return cls(values, day, {name: float(found.params[name]) for name in names})

    def expected(self, origin: int, steps: int) -> list[float]:
        """Return what the *steps* from step *origin* on are expected to be, knowing those before it."""
        days = _days(self._values, self._day, origin)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = _model([sum(each) for each in days]).fit(**self._parameters, optimized=False)
        coming = [max(0.0, float(value)) for value in found.forecast(-(-steps // self._day))]
        shape = [sum(each) for each in zip(*days, strict=True)]
        whole = sum(shape)
        if not whole:
            return [0.0] * steps
        return [coming[at // self._day] * shape[at % self._day] / whole for at in range(steps)]


def _days(values: Sequence[float], day: int, origin: int) -> list[Sequence[float]]:
    """Return the days before step *origin*, the last of which ends there."""
    count = min(origin // day, _MOST_WEEKS * _WEEK)
    first = origin - count * day
    return [values[first + at * day : first + (at + 1) * day] for at in range(count)]


def _model(days: Sequence[float]) -> Any:  # noqa: ANN401 - statsmodels has no types
    smoothing = import_module("statsmodels.tsa.holtwinters").ExponentialSmoothing
    return smoothing(
        list(days),
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=_WEEK,
        initialization_method="heuristic",
    )
