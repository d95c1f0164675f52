"""The sandbox's own rate limit: what a provider answers 429 beyond, whoever asks."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from switchgear.clock import MICROS

__all__ = ["Quota"]


class Quota:
    """At most *limit* requests in any *seconds*; those turned away count nothing.

    The sandbox asks it from one thread.

    Attributes:
        refused: for each request turned away when that was, and when the answer said to come back.

    Raises:
        ValueError: *limit* or *seconds* is less than 1.
    """

    def __init__(self, limit: int, *, seconds: int = 1) -> None:
        if limit < 1 or seconds < 1:
            msg = f"a quota needs whole numbers from 1, not {limit} in {seconds} s"
            raise ValueError(msg)
        self.limit: Final = limit
        self._window: Final = seconds * MICROS
        self._taken: deque[int] = deque(maxlen=limit)
        self.refused: Final[list[tuple[int, int]]] = []

    def take(self, now: int) -> int | None:
        """Count a request at *now* (monotonic microseconds); or return the whole seconds until there is room."""
        if len(self._taken) == self.limit and now - self._taken[0] < self._window:
            wait = math.ceil((self._taken[0] + self._window - now) / MICROS)
            self.refused.append((now, now + wait * MICROS))
            return wait
        self._taken.append(now)
        return None
