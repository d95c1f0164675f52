"""The upstream's bytes on their way to the caller, for threads: settled before the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from switchgear.clock import MICROS
from switchgear.errors import StallError

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Outcome
    from switchgear.clients.passage import Passage
    from switchgear.clients.watch import Watch
    from switchgear.governor.gate import Gate

__all__ = ["Source", "Stream"]


class Source(Protocol):
    """Where the bytes of one answer come from."""

    def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            Exception: one of the transport's faults.
        """

    def close(self) -> None:
        """Let go of the upstream, at the end or before it."""

    def interrupt(self) -> None:
        """End a *read* that is waiting in another thread."""


class Stream:
    """One answer. Read it to its end, or *close* it.

    Attributes:
        ahead: what was read already and comes first.
        begun: the caller has the head of the answer: a stall is told in its stream, not raised.
    """

    def __init__(self, gate: Gate, passage: Passage, source: Source, watch: Watch) -> None:
        self.ahead: list[bytes] = []
        self.begun = False
        self._watch: Final = watch
        self._gate: Final = gate
        self._passage: Final = passage
        self._source: Final = source
        self._at_last = False  # the end of the stream is held back
        self._over = False

    def read(self) -> bytes:
        """Return the next bytes for the caller; none at the end.

        Raises:
            Exception: the answer broke off; the call is settled.
        """
        if self.ahead:
            return self.ahead.pop(0)
        exchange = self._passage.exchange
        while not self._over:
            if self._at_last:
                self._at_last = False
                self._settle(self._passage.ended)
                self._over = exchange.stopped
                if rest := exchange.flush():
                    return rest
                continue
            try:
                chunk = self._in_time()
            except BaseException as error:
                self.fail(error)
                if words := self._last_words(error):
                    return words
                raise
            if not chunk:
                self._over = True
                exchange.end()
                self._settle(self._passage.ended)
                return exchange.flush()
            ended = exchange.complete
            passed = exchange.feed(chunk)
            self._at_last = exchange.complete and not ended
            if passed:
                return passed
        return b""

    def collect(self, limit: int) -> bytes | Stream:
        """Return the whole answer, closed, if it is no longer than *limit* bytes; else this stream, at its start."""
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := self.read():
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    self.ahead = pieces
                    self.begun = True
                    return self
        finally:
            if not self.ahead:
                self.close()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _in_time(self) -> bytes:
        exchange = self._passage.exchange
        left = exchange.left_us
        if left is None:
            return self._source.read()
        watched = self._watch.over(left / MICROS, self._source.interrupt)
        try:
            chunk = self._source.read()
        except Exception:
            if watched.struck:
                raise exchange.stall() from None
            raise
        finally:
            watched.end()
        if watched.struck:
            raise exchange.stall()
        return chunk

    def close(self) -> None:
        """Let go of the upstream; a call that is not settled yet is one whose caller went away."""
        self._over = True
        self._source.close()
        self._settle(self._passage.left)

    def cut(self) -> bytes:
        """Let go of the upstream; return what was read ahead."""
        self.close()
        return b"".join(self.ahead)

    def fail(self, error: BaseException) -> None:
        """Settle the call as one whose answer could not be read to its end, unless it is settled."""
        self._settle(lambda: self._passage.failed(error))

    def _last_words(self, error: BaseException) -> bytes:
        """Let go of an upstream that has stalled; return the event that tells it to a caller who has the head."""
        if not (self.begun and isinstance(error, StallError)):
            return b""
        self._over = True
        self._source.close()
        return self._passage.exchange.last_words()

    def _settle(self, outcome: Callable[[], Outcome]) -> None:
        if self._passage.close():
            self._passage.settlement = self._gate.settle(self._passage.admitted, outcome())
