"""Figures from instants and intervals."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["most_at_once", "most_within", "percentile"]


def most_within(window: int, instants: Iterable[int], weights: Iterable[int] | None = None) -> int:
    """Return the largest sum of *weights* (default: 1 each) of *instants* in any span ``(t - window, t]``."""
    pairs = sorted(zip(instants, weights, strict=True)) if weights is not None else [(at, 1) for at in sorted(instants)]
    most = held = first = 0
    for at, weight in pairs:
        held += weight
        while pairs[first][0] <= at - window:
            held -= pairs[first][1]
            first += 1
        most = max(most, held)
    return most


def most_at_once(spans: Sequence[tuple[int, int]]) -> int:
    """Return how many of *spans*, each from its begin up to and without its end, overlap at most."""
    begins, ends = sorted(begin for begin, _ in spans), sorted(end for _, end in spans)
    return max((number + 1 - bisect_right(ends, begin) for number, begin in enumerate(begins)), default=0)


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest of *values* that at least *share* of them do not exceed; None: there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
