"""The way to one destination: a bounded queue and a thread that sends from it, batch by batch."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from switchgear.insight.exports import DestinationCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.telemetry.otlp.destinations import Destination
    from switchgear.telemetry.spans.span import Span

__all__ = ["Outlet", "Sender"]

_BATCH: Final = 256
_LINGER: Final = 1.0
"""Seconds that a batch waits for more."""

_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before a batch is sent again; after the last one it is given up."""


class Sender(Protocol):
    """What speaks a destination's language."""

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send *spans*; return None, or why they were not taken."""

    def close(self) -> None:
        """Let go of the connection; a sending under way ends soon."""


class Outlet:
    """Takes spans for one destination and never blocks; what is too much is counted and gone.

    Args:
        destination: it.
        sender: sends to it.
        most: spans that wait, at most.
    """

    def __init__(self, destination: Destination, sender: Sender, *, most: int) -> None:
        self._destination: Final = destination
        self._sender: Final = sender
        self._most: Final = most
        self._waiting: Final[deque[Span]] = deque()
        self._wake: Final = threading.Event()
        self._ending: Final = threading.Event()
        self._exported = self._dropped = self._failed = self._sending = 0
        self._problem: str | None = None
        self._thread: Final = threading.Thread(target=self._run, name=f"otlp-{destination.name}", daemon=True)

    @property
    def counts(self) -> DestinationCounts:
        """What became of the spans so far."""
        return DestinationCounts(
            name=self._destination.name,
            signal=self._destination.signal,
            url=self._destination.shown,
            exported=self._exported,
            dropped=self._dropped,
            failed=self._failed,
            waiting=len(self._waiting) + self._sending,
            problem=self._problem,
        )

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, span: Span) -> None:
        """Take *span*, or drop it when too many wait."""
        if len(self._waiting) + self._sending >= self._most:
            self._dropped += 1
            return
        self._waiting.append(span)
        if len(self._waiting) >= _BATCH:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Send what waits, for at most so long; what is left then counts as failed."""
        self._ending.set()
        self._wake.set()
        self._thread.join(seconds)
        self._sender.close()

    def flush(self) -> None:
        """Send one batch of what waits, and again while it is not taken; for the thread."""
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
        if not batch:
            return
        self._sending = len(batch)
        for pause in (*_PAUSES, None):
            self._problem = self._sender.send(batch)
            if self._problem is None:
                self._exported += len(batch)
                break
            if pause is None or self._ending.wait(pause):
                self._failed += len(batch)
                break
        self._sending = 0

    def _run(self) -> None:
        while not self._ending.is_set():
            self._wake.wait(_LINGER)
            self._wake.clear()
            self.flush()
            if len(self._waiting) >= _BATCH:
                self._wake.set()
        while self._waiting:
            self.flush()
