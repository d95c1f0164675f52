"""Forecasts of the past, made with what was known then: how wrong each method was, at every distance.

The band is a split conformal one (Vovk et al., 2005; Lei et al., "Distribution-free predictive
inference for regression", 2018): the quantiles of past errors, at rank (n + 1) q, hold for the next
error as far as it is like them. Errors are taken at about the same time of day, because a forecast
at 8 o'clock errs otherwise than one at 20.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist
from typing import Final, Protocol

import msgspec

__all__ = ["COVERAGE", "Backtest", "Method", "backtest", "origins_of", "quantile"]

COVERAGE: Final = 0.8
"""How often the truth is meant to lie in the band."""

_ENOUGH: Final = 24
_LEVEL_WEEKS: Final = 4
_LEAST_AHEAD: Final = 0.05


class Method(Protocol):
    """A way to expect the next steps."""

    @property
    def name(self) -> str:
        """Return what it is called."""

    @property
    def warm_up(self) -> int:
        """Return how many steps it has to know before it can expect anything."""

    def expected(self, origin: int, steps: int) -> Sequence[float]:
        """Return what the *steps* from step *origin* on are expected to be, knowing those before it."""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """How wrong *method* was from each of *origins*: one row of *errors* for each, one column a step.

    An error is what was really used by the end of the step, less what was expected, divided by the
    geometric mean of two levels: that of the four weeks before, and the one that was expected. So a
    quiet weekend errs less than a working day, by the square root, as sums of independent calls do.
    """

    method: Method
    origins: Sequence[int]
    errors: Sequence[Sequence[float]]
    error: float
    values: Sequence[float]
    week: int

    def scale(self, origin: int, expected: Sequence[float]) -> float:
        """Return what an error of the forecast *expected* from step *origin* is measured by."""
        return _scale(self.values, origin, self.week, expected)

    @property
    def apart(self) -> int:
        """How many of the forecasts stand a horizon, at least a day, apart: those that overlap err alike."""
        length = max(len(self.errors[0]), self.week // 7)
        return min(len(self.errors), 1 + (max(self.origins) - min(self.origins)) // length)

    def band_at(self, step: int) -> tuple[float, float, float]:
        """Return the low end, the middle and the high end of the errors at the end of the coming step *step*.

        The ends are quantiles at rank (n + 1) q of n, where overlapping forecasts count for less: n is
        the geometric mean of how many there are and how many stand apart. Few that stand apart say little
        about how wide errors spread, so the ends lie further out by as much as the 90 % quantile of Student's
        t with so many degrees of freedom lies beyond that of the normal distribution; with many it is nothing.
        """
        ordered = sorted(row[step] for row in self.errors)
        count = math.sqrt(self.apart * len(ordered))
        share = min(1.0, (0.5 + COVERAGE / 2) * (1 + 1 / count))
        low, middle, high = (quantile(ordered, part) for part in (1 - share, 0.5, share))
        # The nearer end decides: a long tail on one side is no reason to expect one on the other.
        further = (_beyond_normal(self.apart) - 1) * min(middle - low, high - middle)
        return low - further, middle, high + further


def origins_of(positions: Sequence[int], known: int, *, warm_up: int, steps: int, day: int) -> list[int]:
    """Return from which steps to forecast the past, the newest first.

    They are at the time of day of step *known*, and at those next to it as far as these are few.
    """
    now = positions[known] % day

    def distance(origin: int) -> int:
        apart = abs(positions[origin] % day - now)
        return min(apart, day - apart)

    possible = range(known - steps, max(warm_up, 1) - 1, -1)
    for most in range(day // 2 + 1):
        found = [origin for origin in possible if distance(origin) <= most]
        if len(found) >= _ENOUGH:
            return found
    return list(possible)


def backtest(
    method: Method, values: Sequence[float], origins: Sequence[int], steps: int, left: float, week: int
) -> Backtest:
    """Return how wrong *method* was from each of *origins*, over *steps* of which the first counts by *left* only."""
    errors: list[list[float]] = []
    for origin in origins:
        expected = method.expected(origin, steps)
        level = _scale(values, origin, week, expected)
        if level <= 0:
            continue  # nothing to measure an error by
        apart = [real - guess for real, guess in zip(values[origin : origin + steps], expected, strict=True)]
        apart[0] *= left
        errors.append([error / level for error in accumulate(apart)])
    mean = sum(abs(row[-1]) for row in errors) / len(errors) / steps if errors else math.inf
    return Backtest(method=method, origins=origins, errors=errors, error=mean, values=values, week=week)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which *share* of *ordered* lie, between two of them in proportion."""
    if not ordered:
        return 0.0
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def _beyond_normal(freedom: int) -> float:
    """Return the 90 % quantile of Student's t over that of the normal distribution (Cornish-Fisher, two terms)."""
    z = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
    return 1 + (z**2 + 1) / (4 * freedom) + (5 * z**4 + 16 * z**2 + 3) / (96 * freedom**2)


def _scale(values: Sequence[float], origin: int, week: int, expected: Sequence[float]) -> float:
    known = values[max(0, origin - _LEVEL_WEEKS * week) : origin]
    level = sum(known) / len(known) if known else 0.0
    ahead = sum(expected) / len(expected)
    return math.sqrt(level * max(ahead, level * _LEAST_AHEAD))
