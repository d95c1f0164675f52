"""What the gate asks of a provider's wire format: the contracts of this room.

A *Dialect* reads a request, hands out a *Reader* for its answer and words refusals. All of it is
pure: bytes come in, facts and bytes go out. Nothing here raises on what it reads: a body of any
shape passes through, and what can't be read is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from switchgear.calls import Content, Refusal, Usage, Verdict

__all__ = ["Dialect", "Headers", "Observation", "Reader", "RequestFacts", "Surface", "WireRefusal"]

Surface = Literal[
    "chat",
    "completions",
    "responses",
    "embeddings",
    "moderations",
    "images",
    "speech",
    "transcription",
    "batches",
    "messages",
    "other",
]
"""The part of a provider's API that a request is for."""


Headers = Sequence[tuple[str, str]]
"""Names, in any case, and values, in order."""


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate needs to know of a request before it lets it go.

    Attributes:
        endpoint: the path without its query.
        surface: the part of the API that the path belongs to.
        model: the model asked for; None where there is none.
        streamed: the answer is asked for in pieces.
        bound: upper bounds of what the answer can use. Input tokens: see *switchgear.wire.bounds*.
            Output tokens: what the request allows, all choices together; 0 if it sets no limit.
        max_output_given: the output bound holds; False: it is the model's own limit that does.
        input_bounded: the input bound holds; False: the provider adds input that the body does not
            show (an earlier response, a file, a search), and only the model's window is a bound.
        choices: how many answers are asked for; a limit of the model holds for each.
        tier: the service tier asked for (``flex``, ``priority``, ``fast``); None: the standard one.
        counted: what an answer comes to that says nothing of usage, as the request alone tells: characters
            of speech, images; None: that is unknown. *counted_exactly*: it is no estimate.
        billable: False: no provider charges for it, whatever the answer.
        is_json: the body is JSON.
        adds_usage: usage is to be asked for on the client's behalf, and the answer's usage chunk
            taken out again. Send the request with ``accept-encoding: identity`` then.
        asked: the body, where content is kept.
    """

    endpoint: str
    surface: Surface = "other"
    model: str | None = None
    streamed: bool = False
    bound: Usage = Usage()
    max_output_given: bool = False
    input_bounded: bool = True
    choices: int = 1
    tier: str | None = None
    counted: Usage | None = None
    counted_exactly: bool = False
    billable: bool = True
    is_json: bool = False
    adds_usage: bool = False
    asked: bytes = b""

    def bound_within(self, *, max_output: int | None, window: int | None) -> Usage | None:
        """Return the bound with the model's own limits where the request sets none; None: unbounded.

        *max_output* is the most that one answer of the model can have, *window* its context window.
        """
        if not self.billable or (self.max_output_given and self.input_bounded):
            return self.bound
        given = self.bound
        output = given.output_tokens if self.max_output_given else _times(max_output, self.choices)
        extra = 0 if self.input_bounded else window
        if output is None or extra is None:
            return None
        tokens = max(given.input_tokens, extra)
        every = {"output_audio_tokens": output, "cache_write_1h_tokens": tokens}
        units = tuple((unit, every.get(unit, count)) for unit, count in given.units)
        return msgspec.structs.replace(given, input_tokens=tokens, output_tokens=output, units=units)


def _times(number: int | None, times: int) -> int | None:
    return None if number is None else number * times


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer, or the part of it that came, says.

    Attributes:
        usage: what was used; None: unknown.
        estimated: *usage* is counted from what was received, or is not known.
        model: the model that the provider says answered.
        tier: the service tier that it says it used.
        error: the provider's error type and code, never its text; None when all went well.
        verdict: what the answer says about the service. A stream that stopped before its end is a
            failure here; whoever knows that the client left says ``neutral``.
        complete: the answer came to its end.
        cost: what the provider says that it bills, in nano-USD; None: it does not say.
        running: the name of a thing (a batch) of which *usage* is a running total, told anew with every
            answer: only its rise counts. None: *usage* is that of this call.
        content: what was asked and answered, where it is kept.
    """

    usage: Usage | None
    estimated: bool = False
    model: str | None = None
    tier: str | None = None
    error: str | None = None
    verdict: Verdict = "success"
    complete: bool = True
    cost: int | None = None
    running: str | None = None
    content: Content | None = None


class WireRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal as an HTTP answer in the provider's own error shape."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Reader(Protocol):
    """Reads one answer as it passes.

    Streamed or not, use it so::

        for chunk in answer:
            send(reader.feed(chunk))
            if reader.complete:      # the last event is here, and is held back
                break
        else:
            reader.end()             # the answer is over
        settle(reader.observe())     # before the client can know that the call is over
        send(reader.flush())
        for chunk in answer:         # whatever still follows
            send(reader.feed(chunk))

    What it is given comes out byte for byte and in order, except for a usage chunk that was asked
    for on the client's behalf.

    Attributes:
        started: content has come: the moment to note for the time to the first token.
        complete: the event that ends the stream is here. An answer that is no stream is complete
            when its bytes end, which only the caller sees: its newest chunk is held until *flush*.
        produced: output tokens that a stream has brought so far, if anything too few; 0 for other answers.
        heard: how often something came that tells of progress. Comments and pings, which keep a
            connection alive while a model is silent, do not.
    """

    started: bool
    complete: bool
    heard: int

    @property
    def produced(self) -> int:
        """See above."""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes of the answer; return those that may go to the client now."""

    def end(self) -> None:
        """Take note that no byte will follow; what was not finished by then is read as it is."""

    def flush(self) -> bytes:
        """Return what is held back. From then on *feed* passes everything through unread."""

    def observe(self) -> Observation:
        """Return what the answer has said so far; it may be asked at any time."""


class Dialect(Protocol):
    """One provider's wire format."""

    name: str

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        """Return what the request says. *path* is as the client sent it, with or without its query."""

    def outgoing(self, facts: RequestFacts, body: bytes) -> bytes:
        """Return the body to send: the same bytes, with usage asked for where *facts* says so."""

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        """Return a reader for the answer with this head."""

    def refusal(self, refusal: Refusal) -> WireRefusal:
        """Return *refusal* in the provider's error shape."""

    def stop(self, facts: RequestFacts, refusal: Refusal) -> bytes:
        """Return the event that ends a stream of ours before its time, in the provider's error shape."""

    def stall(self, facts: RequestFacts, message: str) -> bytes:
        """Return the event that ends a stream whose provider has gone silent, in its error shape."""

    def auth_headers(self, key: str, *, url: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that carry the provider's *key* in a request to *url*."""
