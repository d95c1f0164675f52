"""Reading an answer that comes as one body: collected up to a bound, read when it is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchgear.calls import NO_USAGE, Usage
from switchgear.wire.base import Observation
from switchgear.wire.outcomes import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Verdict
    from switchgear.wire.base import RequestFacts
    from switchgear.wire.encodings import Decoder

__all__ = ["NOT_BILLED", "BodyReader", "Said"]

_REDIRECT = 300
_ERROR = 400
_SERVER_ERROR = 500

NOT_BILLED = Usage(units=(("request", 0),))
"""The usage of a call that got an error or a redirect: providers charge for none, not even per request."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a body says, in the words of the house.

    Attributes:
        cost: what the provider says that it bills, in nano-USD.
        running: *usage* is a running total of the thing called so; see *Observation*.
        known: False: *usage* is an estimate.
    """

    usage: Usage | None = None
    model: str | None = None
    tier: str | None = None
    error: str | None = None
    at_fault: bool = False
    cost: int | None = None
    running: str | None = None
    known: bool = True


class BodyReader:
    """Passes a body on with its newest chunk held back, and reads a copy of up to 8 MB of it.

    *interpret* reads the whole body, and returns None when it is no JSON. Without it nothing is
    read: the service's usage is what the caller states.
    """

    def __init__(
        self, facts: RequestFacts, status: int, decoder: Decoder, interpret: Callable[[bytes], Said | None] | None
    ) -> None:
        self.started = False
        self.complete = False
        self.produced = 0
        self.heard = 0
        self._facts = facts
        self._status = status
        self._decoder = decoder
        self._interpret = interpret
        self._held = b""
        self._copy: list[bytes] = []
        self._flushed = False

    def feed(self, chunk: bytes) -> bytes:
        if self._flushed or not chunk:
            return chunk
        self.started = True
        self.heard += 1
        if self._interpret is not None:
            self._copy.append(self._decoder.feed(chunk))
        held, self._held = self._held, chunk
        return held

    def end(self) -> None:
        self.complete = True

    def flush(self) -> bytes:
        self._flushed = True
        held, self._held = self._held, b""
        return held

    def observe(self) -> Observation:
        said = self._said()
        if self._status >= _ERROR:
            told = said or Said()
            return Observation(
                usage=told.usage or NOT_BILLED,
                estimated=self._status >= _SERVER_ERROR,
                model=told.model,
                error=told.error or f"http_{self._status}",
                verdict=verdict_of(self._status),
            )
        if self._status >= _REDIRECT:
            return Observation(usage=NOT_BILLED)
        if self._interpret is None or (not self._facts.billable and (said is None or said.running is None)):
            return Observation(usage=NO_USAGE)
        if said is None or (said.usage is None and said.error is None and self._facts.counted is not None):
            return self._untold(said)
        if said.error is not None:
            verdict: Verdict = "failure" if said.at_fault else "neutral"
            return Observation(
                usage=said.usage or NOT_BILLED,
                model=said.model,
                error=said.error,
                verdict=verdict,
                cost=said.cost,
            )
        return Observation(
            usage=said.usage,
            estimated=said.usage is None or not said.known,
            model=said.model,
            tier=said.tier,
            cost=said.cost,
            running=said.running,
        )

    def _said(self) -> Said | None:
        if self._interpret is None or self._decoder.lost:
            return None
        return self._interpret(b"".join(self._copy))

    def _untold(self, said: Said | None) -> Observation:
        """Return what is known of an answer that says nothing of usage, or can't be read."""
        facts = self._facts
        if facts.counted is not None and self.started:
            return Observation(
                usage=facts.counted, estimated=not facts.counted_exactly, model=said.model if said else None
            )
        if self._decoder.lost or facts.surface in {"other", "transcription"}:
            return Observation(usage=None, estimated=True)
        error = "malformed_body" if self.started else "empty_body"
        return Observation(usage=None, estimated=True, error=error, verdict="failure")
