"""Taking a lock that is held for microseconds only, without a convoy.

A thread that blocks on a lock is handed it while it has no GIL; the one that has the GIL then has
to wait for the lock, and from there on every use of it costs a change of threads. Whoever yields
and tries again instead finds the lock free as soon as its holder has run on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ["Inside", "patiently"]

_YIELDS: Final = 1000
"""Then the holder is not only waiting for its turn, and blocking costs less than trying."""


def patiently(lock: threading.Lock) -> None:
    """Take *lock*, which another thread has just held."""
    for _ in range(_YIELDS):
        time.sleep(0)
        if lock.acquire(blocking=False):
            return
    lock.acquire()


class Inside:
    """The lock as a context manager, for what is not on every call's way."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter: Final = enter
        self._leave: Final = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()
