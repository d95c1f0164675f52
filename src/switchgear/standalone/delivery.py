"""Events to listeners: outside every lock, once, in order, whatever a listener does."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Delivery"]

E = TypeVar("E")

_log: Final = logging.getLogger("switchgear.events")


class Delivery(Generic[E]):
    """A queue of events and those who listen.

    *put* is called under the owner's lock, so that the queue has the order of the changes; *send*
    after it is released. One thread at a time sends: who finds another one sending leaves its
    events to that one. So a listener may be slow, may raise (it is logged), and may call back in.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.RLock()
        self._listeners: tuple[Callable[[E], None], ...] = ()
        self._queue: deque[E] = deque()
        self._sending = False

    def subscribe(self, listener: Callable[[E], None]) -> Callable[[], None]:
        """Add *listener*; return a function that removes it again."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return unsubscribe

    def put(self, event: E) -> None:
        """Queue *event* behind those that happened before it."""
        self._queue.append(event)

    def send(self) -> None:
        """Hand every queued event to every listener, unless somebody is at it already."""
        while self._queue and (event := self._next()) is not None:
            try:
                for listener in self._listeners:
                    self._hand(listener, event)
            finally:
                self._sending = False

    def _next(self) -> E | None:
        with self._lock:
            if self._sending or not self._queue:
                return None
            self._sending = True
            return self._queue.popleft()

    @staticmethod
    def _hand(listener: Callable[[E], None], event: E) -> None:
        try:
            listener(event)
        except Exception:  # noqa: BLE001 - a listener is somebody else's code; it is logged
            _log.exception("a listener failed on %s", type(event).__name__)
