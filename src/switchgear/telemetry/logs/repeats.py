"""Lines that repeat each other: the first few are written, of the rest only how many there were."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Repeats"]

_FIRST: Final = 5
_WINDOW: Final = 60.0
_MOST: Final = 1000


class _Seen(msgspec.Struct, kw_only=True):
    until: int
    count: int = 0


def _later(seconds: float, then: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, then)
    timer.daemon = True
    timer.start()


class Repeats(logging.Filter):
    """Lets through the first *first* lines of a kind in *window* seconds; then one line counts the rest.

    Of one kind are lines of the same logger and the same words (before anything is put into them), and, where
    they say so, about the same subject. Errors and graver lines are counted apart from milder ones.

    Args:
        handler: writes the line that counts.
        clock: time.
        later: calls back after so many seconds.
        first: see above; *window* likewise.
    """

    def __init__(
        self,
        handler: logging.Handler,
        *,
        clock: Clock,
        later: Callable[[float, Callable[[], None]], None] = _later,
        first: int = _FIRST,
        window: float = _WINDOW,
    ) -> None:
        super().__init__()
        self._handler: Final = handler
        self._clock: Final = clock
        self._later: Final = later
        self._first: Final = first
        self._window: Final = window
        self._lock: Final = threading.Lock()
        self._seen: Final[dict[object, _Seen]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key: object = (record.name, record.msg, record.levelno, getattr(record, "subject", None))
        now = self._clock.moment().mono
        with self._lock:
            if key not in self._seen and len(self._seen) >= _MOST:
                self._forget(now)
            if len(self._seen) >= _MOST:
                key = None  # so many kinds at once are one kind
            seen = self._seen.get(key)
            if seen is None or seen.until <= now:
                seen = self._seen[key] = _Seen(until=now + round(self._window * MICROS))
            seen.count += 1
            is_first_left_out = seen.count == self._first + 1
            passes = seen.count <= self._first
        if is_first_left_out:
            self._later(self._window, lambda: self._tell(key, seen, record))
        return passes

    def _tell(self, key: object, seen: _Seen, record: logging.LogRecord) -> None:
        with self._lock:
            if self._seen.get(key) is seen:
                del self._seen[key]
            left_out = seen.count - self._first
        line = logging.makeLogRecord(
            {
                "name": record.name,
                "levelno": record.levelno,
                "levelname": record.levelname,
                "msg": "repeated",
                "switchgear": {"line": str(record.msg), "suppressed": left_out, "within_s": self._window},
            }
        )
        self._handler.handle(line)

    def _forget(self, now: int) -> None:
        for key in [key for key, seen in self._seen.items() if seen.until <= now]:
            del self._seen[key]
