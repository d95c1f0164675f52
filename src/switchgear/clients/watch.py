"""A watch over reads that block: it strikes when one takes too long."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Watch", "Watched"]

_IDLE: Final = 5.0
_FEW: Final = 64


class Watched:
    """Something that may take so long and no longer.

    Attributes:
        struck: it took longer.
    """

    __slots__ = ("_strike", "_watch", "over", "struck")

    def __init__(self, watch: Watch, strike: Callable[[], None]) -> None:
        self.struck = False
        self.over = False
        self._watch: Final = watch
        self._strike: Final = strike

    def end(self) -> bool:
        """Watch it no longer; return whether it took too long."""
        self._watch.forget(self)
        return self.struck

    def strike(self) -> None:
        """It took too long."""
        self._strike()


class Watch:
    """Calls back, in a thread of its own, when what it was told of has taken too long.

    One thread watches everything. It is there only while there is something to watch, and a few
    seconds longer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._changed: Final = threading.Condition()
        self._numbers: Final = itertools.count()
        self._due: list[tuple[float, int, Watched]] = []
        self._ended = 0
        self._wakes_at: float | None = None  # None: there is no thread

    def over(self, seconds: float, strike: Callable[[], None]) -> Watched:
        """Call *strike* in *seconds* unless the one returned has ended before."""
        one = Watched(self, strike)
        at = self._clock.monotonic() + seconds
        with self._changed:
            heapq.heappush(self._due, (at, next(self._numbers), one))
            if self._wakes_at is not None:
                if at < self._wakes_at:
                    self._changed.notify()
                return one
            self._wakes_at = at
        threading.Thread(target=self._run, name="switchgear-watch", daemon=True).start()
        return one

    def forget(self, one: Watched) -> None:
        """Strike no more for *one*; the second time does nothing."""
        with self._changed:
            if one.over:
                return
            one.over = True
            self._ended += 1
            if self._ended > _FEW and self._ended > len(self._due) // 2:
                self._due = [entry for entry in self._due if not entry[2].over]
                heapq.heapify(self._due)
                self._ended = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                one = self._next()
            if one is None:
                return
            one.strike()

    def _next(self) -> Watched | None:
        """Wait for the next one that takes too long; None: there has been nothing to watch for some time."""
        while True:
            while self._due and self._due[0][2].over:
                heapq.heappop(self._due)
                self._ended = max(0, self._ended - 1)
            now = self._clock.monotonic()
            if self._due and self._due[0][0] <= now:
                one = heapq.heappop(self._due)[2]
                one.over = one.struck = True
                return one
            left = min(self._due[0][0] - now, _IDLE) if self._due else _IDLE
            self._wakes_at = now + left
            if not self._changed.wait(left) and not self._due:
                self._wakes_at = None
                return None
