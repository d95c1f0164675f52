"""The thread that keeps the lease of what a process holds, and tells what could not be told."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Keeper"]

_log = logging.getLogger("switchgear.state")


class Keeper:
    """Does *work* every *pause_us*, sooner when it is rung for, and every *behind_us* while something is left to tell.

    Args:
        work: renews the lease, then tells what is left.
        is_behind: whether something is left.
        pause_us: a third of the lease.
        behind_us: how soon to try again.
    """

    def __init__(
        self, work: Callable[[], None], is_behind: Callable[[], bool], *, pause_us: int, behind_us: int
    ) -> None:
        self._work: Final = work
        self._is_behind: Final = is_behind
        self._pause: Final = pause_us / MICROS
        self._behind: Final = min(pause_us, behind_us) / MICROS
        self._lock: Final = threading.Lock()
        self._bell: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="switchgear-lease", daemon=True)
        self._begun = False
        self.is_over = False

    def start(self) -> None:
        """Begin, unless it has begun or is over."""
        if not self._begun:
            self._begin()

    def ring(self) -> None:
        """Do the work now."""
        self._bell.set()

    def end(self) -> None:
        """Stop, and wait for work that is being done."""
        self.is_over = True
        self._bell.set()
        with self._lock:
            begun = self._begun
        if begun:
            self._thread.join()

    def _begin(self) -> None:
        with self._lock:
            if not self._begun and not self.is_over:
                self._begun = True
                self._thread.start()

    def _run(self) -> None:
        while not self.is_over:
            self._bell.wait(self._behind if self._is_behind() else self._pause)
            self._bell.clear()
            if not self.is_over:
                self._try()

    def _try(self) -> None:
        try:
            self._work()
        except StateError as error:
            _log.debug("the lease of this process could not be renewed: %s", error)
        except Exception:  # noqa: BLE001 - the thread must go on, or calls in flight lose their lease; it is logged
            _log.exception("the lease of this process could not be renewed")
