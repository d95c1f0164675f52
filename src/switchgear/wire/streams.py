"""Reading a streamed answer: what passes at once, what is taken out, what is held to the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from switchgear.calls import Usage
from switchgear.wire.base import Observation
from switchgear.wire.sse import MAX_EVENT, Event, Splitter

if TYPE_CHECKING:
    from switchgear.calls import Verdict
    from switchgear.wire.base import RequestFacts
    from switchgear.wire.encodings import Decoder

__all__ = ["CodedStreamReader", "Fate", "StreamReader", "Tally", "UnreadStream"]

_BYTES_PER_TOKEN = 4
"""What an estimate takes for a token of text."""


_PING = b"ping"


class Fate(Enum):
    """What happens to an event of a stream."""

    PASS = "pass"  # noqa: S105 - no password
    DROP = "drop"
    LAST = "last"


class Tally(ABC):
    """What the events of one stream have said so far; each provider's format has its own subclass.

    Attributes:
        usage: as the provider reported it last; *cost*: what it says that it bills for it, in nano-USD.
        final: *usage* is the provider's last word.
        finished: the answer is whole, whether or not its terminal event has come.
        error, at_fault: the provider's error event, and whether the service is to blame for it.
        pieces, text_bytes: events with content, and the UTF-8 bytes of that content.
        blind: an event was too long to read.
        max_event: bytes of an event up to which it is read.
    """

    max_event = MAX_EVENT

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.cost: int | None = None
        self.final = False
        self.finished = False
        self.model: str | None = None
        self.tier: str | None = None
        self.error: str | None = None
        self.at_fault = False
        self.pieces = 0
        self.text_bytes = 0
        self.blind = False

    @abstractmethod
    def read(self, event: Event) -> Fate:
        """Take one event in and say what happens to it."""

    def add_text(self, size: int) -> None:
        """Count *size* bytes of content that one event brought; an event that can't be read counts as one."""
        if size:
            self.pieces += 1
            self.text_bytes += size

    def fail(self, label: str, *, at_fault: bool) -> None:
        """Note an error event."""
        self.error = label
        self.at_fault = at_fault

    def observe(self, facts: RequestFacts) -> Observation:
        """Return what the stream says if it ends here."""
        usage = self.usage if self.final else self._estimate(facts)
        verdict: Verdict = "success"
        error = self.error
        if error is not None:
            verdict = "failure" if self.at_fault else "neutral"
        elif not self.finished and not self.blind:
            verdict = "failure"
            error = "stream_cut" if self.pieces else "stream_empty"
        return Observation(
            usage=None if self.blind and not self.final else usage,
            estimated=not self.final,
            model=self.model,
            tier=self.tier,
            error=error,
            verdict=verdict,
            complete=self.finished,
            cost=self.cost if self.final else None,
        )

    def _estimate(self, facts: RequestFacts) -> Usage | None:
        """Return what the content so far stands for: a token for each four bytes, at least one for each event.

        Input is what the provider said, if it did, or else the request's bound.
        """
        output = max(self.pieces, -(-self.text_bytes // _BYTES_PER_TOKEN))
        said = self.usage
        if said is None:
            return Usage(input_tokens=facts.bound.input_tokens, output_tokens=output)
        return msgspec.structs.replace(said, output_tokens=max(output, said.output_tokens))


class StreamReader:
    """Passes a stream on event by event.

    An event goes out when its last byte has come; events are small, and one that is longer than
    *switchgear.wire.sse.MAX_EVENT* passes unread. From the terminal event on everything is held.
    """

    def __init__(self, facts: RequestFacts, tally: Tally) -> None:
        self.started = False
        self.complete = False
        self._facts = facts
        self._tally = tally
        self._splitter = Splitter(tally.max_event)
        self.heard = 0
        self._held = b""
        self._flushed = False

    @property
    def produced(self) -> int:
        # An event is a token or several. Where an answer is cut into single letters its bytes say
        # more: few texts have less than four for a token, and none has more than eight.
        size = self._tally.text_bytes
        return max(min(self._tally.pieces, size // _BYTES_PER_TOKEN), size // (2 * _BYTES_PER_TOKEN))

    def feed(self, chunk: bytes) -> bytes:
        if self._flushed:
            return chunk
        if self.complete:
            self._held += chunk
            return b""
        return self._advance(chunk)

    def end(self) -> None:
        if not self.complete and (last := self._splitter.flush()) is not None:
            ready = self._read([last])
            self._held = ready + self._held

    def observe(self) -> Observation:
        return self._tally.observe(self._facts)

    def flush(self) -> bytes:
        self._flushed = True
        held, self._held = self._held + self._splitter.take_rest(), b""
        return held

    def _advance(self, chunk: bytes) -> bytes:
        return self._read(self._splitter.feed(chunk))

    def _read(self, events: list[Event]) -> bytes:
        """Take *events* in; return the bytes of those that pass, and keep the rest from the terminal one on."""
        ready: list[bytes] = []
        for number, event in enumerate(events):
            fate = self._fate(event)
            if fate is Fate.LAST:
                self.complete = True
                self._held = b"".join(later.raw for later in events[number:]) + self._splitter.take_rest()
                break
            if fate is Fate.PASS:
                ready.append(event.raw)
        self.started = self._tally.pieces > 0
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def _fate(self, event: Event) -> Fate:
        if event.unread:
            self._tally.blind = True
            self.heard += 1
            return Fate.PASS
        if not event.data:
            return Fate.PASS
        self.heard += event.name != _PING
        return self._tally.read(event)


class CodedStreamReader(StreamReader):
    """Passes a compressed stream on chunk by chunk and reads a decoded copy.

    Nothing can be taken out of it; the chunk that holds the terminal event is held.
    """

    def __init__(self, facts: RequestFacts, tally: Tally, decoder: Decoder) -> None:
        super().__init__(facts, tally)
        self._decoder = decoder

    def end(self) -> None:
        if not self.complete and (last := self._splitter.flush()) is not None:
            self._read([last])
            self._held = b""  # its bytes have passed already

    def observe(self) -> Observation:
        self._tally.blind = self._tally.blind or self._decoder.lost
        return super().observe()

    def flush(self) -> bytes:
        self._splitter.take_rest()
        return super().flush()

    def _advance(self, chunk: bytes) -> bytes:
        self._read(self._splitter.feed(self._decoder.feed(chunk)))
        self._held = chunk if self.complete else b""
        return b"" if self.complete else chunk


class UnreadStream:
    """Passes a stream of no known format on as it comes. It is settled after its last byte, at *usage*."""

    def __init__(self, usage: Usage | None) -> None:
        self.started = False
        self.complete = False
        self.produced = 0
        self.heard = 0
        self._usage = usage

    def feed(self, chunk: bytes) -> bytes:
        self.started = self.started or bool(chunk)
        self.heard += 1
        return chunk

    def end(self) -> None:
        self.complete = True

    def flush(self) -> bytes:
        return b""

    def observe(self) -> Observation:
        return Observation(usage=self._usage, estimated=self._usage is None)
