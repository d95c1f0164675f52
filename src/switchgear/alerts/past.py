"""How far a number is from a service's own past: the median and the spread around it, which no outlier moves."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["LOOKED_BACK_US", "QUARTER_US", "Quarter", "cost_score", "error_score", "is_silent", "usual"]

QUARTER_US: Final = 15 * 60 * MICROS
_HOUR: Final = 4 * QUARTER_US
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY
LOOKED_BACK_US: Final = 4 * _WEEK
"""How far back the past goes."""

_ENOUGH: Final = 16
"""Quarters with calls that a past needs: four hours of work."""

_TO_SIGMA: Final = 1.4826
"""Times the median absolute deviation: the standard deviation, if the values were normal."""

_TOP: Final = 0.95
_TOP_SIGMAS: Final = 1.645
"""The 95th percentile of normal values, in standard deviations."""

_LEAST_CALLS: Final = 5
_SILENT_BELOW: Final = 10
"""Calls that usually come in the window, below which their absence says nothing."""

_LEAST_COST_SPREAD: Final = 0.1
"""Of the median: what is always the same may still vary by that."""

_LEAST_COST: Final = 10_000_000
"""A cent in nano-USD: no spread of the cost is taken to be smaller."""

_LEAST_ERROR_SPREAD: Final = 1.5
"""Percentage points of the error rate: no spread is taken to be smaller, so 6 is at least 9 points."""


class Quarter(NamedTuple):
    """What a service had in 15 minutes from *start*, an epoch microsecond. *cost*: nano-USD."""

    start: int
    answered: int
    failed: int
    cost: int


def usual(quarters: Sequence[Quarter], *, now: int) -> list[Quarter]:
    """Return the quarters that *now* is compared with.

    Those of the same hour of the week, one hour more or less, in the last four weeks, if at least two
    of the weeks and 16 quarters have calls then; else those of the last seven days. Only quarters with
    calls: a service is compared with how it is when it works. Empty: too little is known.
    """
    worked = [each for each in quarters if each.answered]
    alike = [each for each in worked if _hours_apart(each.start, now) <= 1 and now - each.start > _DAY]
    weeks = {(now - each.start + _DAY) // _WEEK for each in alike}
    if len(alike) >= _ENOUGH and len(weeks) > 1:
        return alike
    recent = [each for each in worked if 0 < now - each.start <= _WEEK]
    return recent if len(recent) >= _ENOUGH else []


def cost_score(cost: int, past: Sequence[Quarter], *, window_us: int) -> float | None:
    """Return by how many spreads *cost*, of a window, is above the median of *past*; None: too little is known."""
    if not past:
        return None
    share = window_us / QUARTER_US
    costs = [each.cost * share for each in past]
    middle = statistics.median(costs)
    spread = max(_spread(costs, middle), _LEAST_COST_SPREAD * middle, _LEAST_COST)
    return (cost - middle) / spread


def error_score(percent: float, past: Iterable[Quarter]) -> float | None:
    """Return by how many spreads an error rate of *percent* is above the median of *past*; None: as above."""
    rates = [100 * each.failed / each.answered for each in past if each.answered >= _LEAST_CALLS]
    if len(rates) < _ENOUGH:
        return None
    middle = statistics.median(rates)
    spread = max(_spread(rates, middle), _LEAST_ERROR_SPREAD)
    return (percent - middle) / spread


def is_silent(calls: int, quarters: Sequence[Quarter], *, now: int, window_us: int) -> bool | None:
    """Return whether no call came in a window that usually has some; None: too little is known.

    Usual is the median of the same window on the seven days before, with at least three days of calls, or,
    with less history, of the eight windows before it. *quarters* are in order of time. Ten calls or more must be usual.
    """
    if calls:
        return False
    counts = [_answered(quarters, now - day * _DAY, window_us) for day in range(1, 8)]
    first = min((each.start for each in quarters), default=now)
    if now - first < 3 * _DAY:
        counts = [_answered(quarters, now - back * window_us, window_us) for back in range(1, 9)]
        if now - first < 4 * window_us:
            return None
    else:
        counts = [count for day, count in enumerate(counts, 1) if now - day * _DAY >= first]
    return statistics.median(counts) >= _SILENT_BELOW


def _answered(quarters: Sequence[Quarter], until: int, window_us: int) -> int:
    begin = bisect_left(quarters, (until - window_us,))
    return sum(each.answered for each in quarters[begin : bisect_left(quarters, (until,))])


def _spread(values: Sequence[float], middle: float) -> float:
    """Return how far *values* lie around their median: by the half that is near, or by the top, whichever is more.

    The median absolute deviation alone takes the long tail of costs for spikes; the 95th percentile alone
    moves with one outlier in twenty.
    """
    near = _TO_SIGMA * statistics.median(abs(value - middle) for value in values)
    top = sorted(values)[int(_TOP * (len(values) - 1))]
    return max(near, (top - middle) / _TOP_SIGMAS)


def _hours_apart(one: int, other: int) -> float:
    apart = (one - other) % _WEEK
    return min(apart, _WEEK - apart) / _HOUR
