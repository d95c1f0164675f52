"""What takes long on a large ledger is found in a thread of its own: a page waits a moment for it, no longer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Soon"]

_Made = TypeVar("_Made")
_PATIENCE: Final = 0.1

_log = logging.getLogger("switchgear.insight")


class Soon:
    """Makes things, one at a time. Safe to use from several threads.

    Args:
        patience: seconds that whoever asks first waits at most; the others do not wait.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience: Final = patience
        self._lock: Final = threading.Lock()
        self._turn: Final = threading.Lock()
        self._under_way: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made | None:
        """Return what *make* returns, or raise what it raises; None: it is under way, ask again for the same *key*."""
        patience = 0.0
        with self._lock:
            future: Future[_Made] | None = self._under_way.get(key)
            if future is None:
                patience = self._patience
                future = self._under_way[key] = Future()
                threading.Thread(target=self._run, args=(future, make), name="switchgear-soon", daemon=True).start()
        try:
            found = future.result(patience)
        except TooLong:
            return None
        except BaseException:
            self._forget(key, future)
            raise
        self._forget(key, future)
        return found

    def _run(self, future: Future[_Made], make: Callable[[], _Made]) -> None:
        # Two large questions at a time would only take longer each.
        with self._turn:
            try:
                future.set_result(make())
            except Exception as error:  # noqa: BLE001 - whoever asks next is told
                _log.debug("what was asked for in the background failed: %s", error)
                future.set_exception(error)

    def _forget(self, key: Hashable, future: Future[_Made]) -> None:
        with self._lock:
            if self._under_way.get(key) is future:
                del self._under_way[key]
