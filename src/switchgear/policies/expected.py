"""What calls really put out, as a share of what they might: the estimate behind ``reserve = "expected"``.

For each route (service, model, endpoint) a histogram of ``actual / worst-case output``, in bins that
are an eighth of a power of two wide (as in an HDR histogram or a DDSketch of relative error 4.5 %).
The estimate is the upper edge of the bin that holds the 99th percentile, so it errs on the high side,
by at most 9.1 %. Until a route has *ENOUGH* samples there is none, and the worst case stands. At
*MANY* samples all counts are halved, so that what happened long ago weighs less and less.

Source: https://arxiv.org/abs/1908.10693 (DDSketch: quantiles from logarithmic bins).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from switchgear.calls import Usage

__all__ = ["ENOUGH", "MANY", "ROUTES", "Expectations", "Route"]

ENOUGH: Final = 100
"""Samples from which on a route's 99th percentile means something."""

MANY: Final = 4096
"""Samples after which all counts of a route are halved."""

ROUTES: Final = 512
"""Routes that are remembered; the one that was first learned is forgotten for the next."""

Route = tuple[str, str | None, str]
"""Service, model, endpoint."""

_SCALE: Final = 1 << 30
_BINS: Final = 97
_EDGES: Final = tuple(round(_SCALE * 2 ** (-(_BINS - 1 - number) / 8)) for number in range(_BINS))
"""Upper edges, rising, of shares times *_SCALE*: from 1/4096 to all of it."""


class _Route:
    """The histogram of one route; *share* is its estimate, times *_SCALE*; 0: not enough samples yet."""

    __slots__ = ("counts", "samples", "share")

    def __init__(self) -> None:
        self.counts = [0] * _BINS
        self.samples = 0
        self.share = 0

    def add(self, share: int) -> None:
        self.counts[min(bisect_left(_EDGES, share), _BINS - 1)] += 1
        self.samples += 1
        if self.samples >= MANY:
            self.counts = [count // 2 for count in self.counts]
            self.samples = sum(self.counts)
        if self.samples >= ENOUGH:
            self.share = _EDGES[self._rank(self.samples // 100)]

    def _rank(self, above: int) -> int:
        """Return the lowest bin that has at most *above* samples above it."""
        number = _BINS - 1
        while above >= self.counts[number]:
            above -= self.counts[number]
            number -= 1
        return number


class Expectations:
    """What each route is expected to put out. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._routes: dict[Route, _Route] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def learn(self, route: Route, bound: Usage, used: Usage) -> None:
        """Take in a call that came to its end, with its provider's own count in *used*."""
        worst = bound.output_tokens
        if worst <= 0:
            return
        known = self._routes.get(route)
        if known is None:
            if len(self._routes) >= ROUTES:
                del self._routes[next(iter(self._routes))]
            known = self._routes[route] = _Route()
        known.add(used.output_tokens * _SCALE // worst)

    def bound(self, route: Route, bound: Usage) -> Usage | None:
        """Return *bound* with the output that 99 of 100 such calls stay within; None: not known yet."""
        known = self._routes.get(route)
        if known is None or not known.share:
            return None
        # Only the output is learned: how long the input is can be seen before the call.
        return msgspec.structs.replace(bound, output_tokens=-(-bound.output_tokens * known.share // _SCALE))
