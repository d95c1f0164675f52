"""A watch over reads that block: it strikes when one takes too long."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Watch"]

_IDLE: Final = 5.0


class Watch:
    """Calls *strike*, in a thread of its own, when a read that it was set for takes too long.

    The thread is there only while there is something to watch, and a few seconds longer.

    Attributes:
        struck: it did.
    """

    def __init__(self, clock: Clock, strike: Callable[[], None]) -> None:
        self.struck = False
        self._clock: Final = clock
        self._strike: Final = strike
        self._changed: Final = threading.Condition()
        self._at: float | None = None
        self._is_there = False

    def set(self, seconds: float) -> None:
        """Strike in *seconds* unless *clear* comes before."""
        with self._changed:
            self._at = self._clock.monotonic() + seconds
            if self._is_there:
                self._changed.notify()
                return
            self._is_there = True
        threading.Thread(target=self._run, name="switchgear-watch", daemon=True).start()

    def clear(self) -> None:
        """Strike no more until *set* is called again."""
        with self._changed:
            self._at = None

    def _run(self) -> None:
        with self._changed:
            while True:
                left = _IDLE if self._at is None else self._at - self._clock.monotonic()
                if left <= 0:
                    break
                if not self._changed.wait(left) and self._at is None:
                    self._is_there = False
                    return
            self.struck = True
            self._is_there = False
            self._at = None
        self._strike()
