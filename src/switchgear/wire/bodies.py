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
    """What a JSON body says, in the words of the house."""

    usage: Usage | None = None
    model: str | None = None
    tier: str | None = None
    error: str | None = None
    at_fault: bool = False


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
        if not self._facts.billable or self._interpret is None:
            return Observation(usage=NO_USAGE)
        if said is None:
            return self._unreadable()
        if said.error is not None:
            verdict: Verdict = "failure" if said.at_fault else "neutral"
            return Observation(usage=said.usage or NOT_BILLED, model=said.model, error=said.error, verdict=verdict)
        return Observation(usage=said.usage, estimated=said.usage is None, model=said.model, tier=said.tier)

    def _said(self) -> Said | None:
        if self._interpret is None or self._decoder.lost:
            return None
        return self._interpret(b"".join(self._copy))

    def _unreadable(self) -> Observation:
        if self._decoder.lost or self._facts.surface == "other":
            return Observation(usage=None, estimated=True)
        error = "malformed_body" if self.started else "empty_body"
        return Observation(usage=None, estimated=True, error=error, verdict="failure")
