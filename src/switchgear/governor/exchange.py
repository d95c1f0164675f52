"""One HTTP attempt through the gate, without any I/O of its own.

The governed httpx2 transports and the gateway differ in how they move bytes; what is asked of the
gate, what goes to the upstream, and how the answer is read and judged is the same, and is here.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import NO_USAGE, Call, Outcome, new_call_id
from switchgear.clock import MICROS, micros
from switchgear.errors import ConfigError, StallError
from switchgear.governor.allowance import Allowance
from switchgear.governor.asked import Asked
from switchgear.governor.callers import DeniedError
from switchgear.governor.conclusion import concluded, stopped
from switchgear.governor.headers import ANSWER_SIEVES, CREDENTIALS, STREAMS, index_of_answer
from switchgear.governor.outgoing import added_headers
from switchgear.governor.patience import Patience
from switchgear.governor.prepared import encoded, prepared_for
from switchgear.governor.standing import chained, standing
from switchgear.policies.retry import Failure, Repeat, is_turned_away
from switchgear.wire.bodies import BodyReader
from switchgear.wire.edits import with_model
from switchgear.wire.outcomes import retry_after_of
from switchgear.wire.quotas import quotas_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.calls import Quota, Refusal
    from switchgear.clock import Moment
    from switchgear.config.model import ServiceConfig
    from switchgear.governor.callers import Caller
    from switchgear.governor.gate import Admitted, Gate, Settlement
    from switchgear.governor.headers import Headers
    from switchgear.governor.prepared import Prepared
    from switchgear.wire.base import Reader, RequestFacts, WireRefusal

__all__ = ["COLLECTED", "UNKNOWN_WINDOW", "Asked", "Exchange"]

COLLECTED: Final = 8 * 1024 * 1024
"""Bytes up to which an answer that is no stream is collected, so that its head can carry its cost."""

UNKNOWN_WINDOW: Final = 32_768
"""Tokens reserved for a call without a maximum, of a model whose limits nobody knows."""

_ERROR: Final = 400

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2."""

_RETRY_AFTER: Final = frozenset({"retry-after", "retry-after-ms"})


class Exchange:
    """What one request asks of the gate, and how its answer is read: one attempt.

    Args:
        gate: the gate that it goes through.
        service: a configured service's name.
        asked: the caller's request.

    Raises:
        ConfigError: no such service; or the key that it names is missing, where the caller brings none.
        DeniedError: the caller may not ask for this model.
    """

    def __init__(self, gate: Gate, service: str, asked: Asked) -> None:
        self._gate: Final = gate
        self._asked: Final = asked
        head = self._head = prepared_for(gate, service, asked)
        self.config: Final[ServiceConfig] = head.config
        self._dialect: Final = head.dialect
        self.facts: Final = self._facts(head)
        self.body: Final = self._dialect.outgoing(self.facts, asked.body)
        denied = asked.caller.denied_model(self.facts.model, billable=self.facts.billable)
        if denied is not None:
            raise DeniedError(denied)
        attribution = head.attribution(asked)
        self._sent: Final = head.sent(asked, self.facts, attribution)
        trace_id, parent = standing(asked, head.traced, attribution)
        window = gate.book.max_output(service, self.facts.model)
        bound = self.facts.bound_within(
            max_output=self.config.max_output_tokens or window or UNKNOWN_WINDOW, window=window or UNKNOWN_WINDOW
        )
        self.call = Call(
            id=new_call_id(gate.clock.moment().wall),
            service=service,
            endpoint=head.endpoint,
            model=self.facts.model,
            attribution=attribution,
            bound=bound or self.facts.bound,
            bounded=self.facts.max_output_given and self.facts.input_bounded,
            tier=self.facts.tier,
            billable=self.facts.billable,
            streamed=self.facts.streamed,
            trace_id=trace_id,
            parent_span_id=parent,
        )
        self._unanswered()

    def _facts(self, head: Prepared) -> RequestFacts:
        asked, content_type = self._asked, head.index.get("content-type")
        facts = self._dialect.facts(method=asked.method, path=head.endpoint, content_type=content_type, body=asked.body)
        if facts.adds_usage and not self.config.asks_usage:
            return msgspec.structs.replace(facts, adds_usage=False)
        return facts

    def _unanswered(self) -> None:
        self._reader: Reader | None = None
        self._streaming = self._coded = False
        self._status: int | None = None
        self._retry_after: float | None = None
        self._quotas: tuple[Quota, ...] = ()
        self._should_retry: str | None = None
        self._first_at: Moment | None = None
        self._allowance: Allowance | None = None
        self._stopped: Refusal | None = None
        self._patience: Patience | None = None
        self._cheaper: Exchange | None = None

    def again(self) -> Exchange:
        """Return the next attempt at the same service."""
        other = copy.copy(self)
        other._unanswered()  # noqa: SLF001 - a copy of this very object
        other.call = msgspec.structs.replace(self.call, attempt=self.call.attempt + 1)
        return other

    def elsewhere(self, service: str) -> Exchange:
        """Return the next attempt, at another service: what proves who the caller is to this one stays behind.

        Raises:
            ConfigError: no such service.
        """
        headers = [(key, value) for key, value in self._asked.headers if key.lower() not in CREDENTIALS]
        other = Exchange(self._gate, service, msgspec.structs.replace(self._asked, headers=headers, recall=None))
        other.call = msgspec.structs.replace(
            other.call, id=self.call.id, attempt=self.call.attempt + 1, degraded_from=self.call.degraded_from
        )
        return other

    def cheaper(self, model: str) -> Call | None:
        """Return the same call of *model*; None: the request does not name its model where it could be changed."""
        body = with_model(self._asked.body, model) if self.facts.is_json else None
        if body is None:
            return None
        try:
            self._cheaper = Exchange(self._gate, self.call.service, msgspec.structs.replace(self._asked, body=body))
        except DeniedError:
            return None  # a budget's cheaper model is no way around what the caller's key allows
        same = {"id": self.call.id, "attempt": self.call.attempt}
        return msgspec.structs.replace(self._cheaper.call, **same) if self._cheaper.facts.model == model else None

    def granted(self, admitted: Admitted) -> Exchange:
        """Return the exchange of the call that was let go: this one, or that of a cheaper model."""
        if self._cheaper is None or admitted.call.model == self.call.model:
            return self
        self._cheaper.call = admitted.call
        return self._cheaper

    def watch(self, admitted: Admitted) -> None:
        """Let budgets stop the answer if it passes what is reserved for it."""
        self._allowance = Allowance(self._gate, admitted)
        if self.config.first_token_timeout is not None or self.config.stall_timeout is not None:
            self._patience = Patience(self.config, admitted.started.mono)

    @property
    def caller(self) -> Caller:
        """Who makes the request."""
        return self._asked.caller

    @property
    def path(self) -> str:
        """Path and query below the service's base URL."""
        return self._asked.path

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self._asked.method

    @property
    def headers(self) -> Headers:
        """The headers to send."""
        headers = self._sent.listed(self._length)
        return chained(headers, self.call) if self.config.gateway else headers

    @property
    def head_lines(self) -> bytes:
        """The same as lines of a head."""
        return encoded(self.headers) if self.config.gateway else self._sent.encoded(self._length)

    @property
    def _length(self) -> int | None:
        asked = self._asked
        told = not asked.unread and (asked.body or "content-length" in self._head.index)
        return len(self.body) if told else None

    @property
    def repeat(self) -> Repeat:
        """After which failures the request may go out again."""
        if self._asked.unread:
            return "unsent"
        if self._asked.method.upper() in _IDEMPOTENT or self._head.index.get("idempotency-key"):
            return "always"
        return "turned_away" if self.facts.surface == "other" else "answered"

    @property
    def url(self) -> str:
        """The service's base URL, without a slash at its end.

        Raises:
            ConfigError: the service has none; it is used through ``gov.call`` and ``gov.protect``.
        """
        self.check_address()
        return (self.config.base_url or "").rstrip("/")

    def check_address(self) -> None:
        """See that the service has an address.

        Raises:
            ConfigError: it has none.
        """
        if self.config.base_url is None:
            msg = f"service {self.call.service!r} has no base_url, so HTTP requests can't be sent to it"
            raise ConfigError(msg)

    def begin(self, status: int, headers: Sequence[tuple[str, str]]) -> Headers:
        """Take in the head of the answer; return the headers to pass on."""
        self._status = status
        index = index_of_answer(headers)
        content_type, coding = index.get("content-type"), index.get("content-encoding")
        self._streaming = (content_type or "").partition(";")[0].strip().lower() in STREAMS
        epoch = self._gate.clock.moment().wall / MICROS
        self._retry_after = None if _RETRY_AFTER.isdisjoint(index) else retry_after_of(index.items(), epoch)
        self._quotas = quotas_in(index, epoch)
        self._should_retry = index.get("x-should-retry")
        self._coded = coding is not None and coding.lower() != "identity"
        self._reader = self._dialect.reader(self.facts, status=status, headers=headers)
        return ANSWER_SIEVES[self._streaming](headers, index)

    @property
    def streaming(self) -> bool:
        """Whether the answer is a stream of events, to be passed on as it comes."""
        return self._streaming

    @property
    def in_one_piece(self) -> bool:
        """Whether the answer is one body, which says nothing before its end."""
        return isinstance(self._reader, BodyReader)

    def feed(self, chunk: bytes) -> bytes:
        """Take in bytes of the answer; return those to pass on now.

        The end of the answer is held back for *flush*, so that the caller can't have it whole
        before it is settled: the last event of a stream, the last chunk of anything else.
        """
        if self._reader is None:
            msg = "begin() comes before feed()"
            raise RuntimeError(msg)
        if not chunk or self._stopped is not None:
            return b""
        passed = self._reader.feed(chunk)
        if self._allowance is not None and not self._reader.complete:
            self._stopped = self._allowance.passed(self._reader.produced)
        if self._first_at is None and self.facts.streamed and self._reader.started:
            self._first_at = self._gate.clock.moment()
        if self._patience is not None:
            self._patience.heard(self._reader.heard, self._gate.clock.moment().mono, started=self._reader.started)
        return passed

    @property
    def left_us(self) -> int | None:
        """Microseconds until something must have come of a streamed answer; None: whenever it comes.

        Before the head of the answer is here, that is the first token of a stream that was asked for.
        """
        if self._patience is None or not (self._streaming or (self._reader is None and self.facts.streamed)):
            return None
        due = None if self.complete else self._patience.due
        return None if due is None else max(0, due - self._gate.clock.moment().mono)

    def stall(self) -> StallError:
        """Return the error of an answer for which nobody waits any longer."""
        return StallError(self.call.service, 0 if self._patience is None else self._patience.allowed / MICROS)

    def last_words(self) -> bytes:
        """Return the event that ends a stream which has stalled, in the provider's error shape."""
        if self._coded or self._patience is None:
            return b""
        return self._dialect.stall(self.facts, f"{self.call.service}: {self._patience.complaint}")

    @property
    def complete(self) -> bool:
        """Whether the event that ends the stream is here: settle, then *flush*."""
        return self.stopped or (self._reader is not None and self._reader.complete)

    @property
    def stopped(self) -> bool:
        """Whether a budget has ended the answer: after *flush* nothing more is read."""
        return self._stopped is not None

    def end(self) -> None:
        """Take note that the upstream has sent everything."""
        if self._reader is not None:
            self._reader.end()

    def flush(self) -> bytes:
        """Return what was held back until the settlement; of a stopped stream the error that ends it."""
        if self._stopped is not None:
            # Into a compressed stream nothing can be written: it breaks off.
            return b"" if self._coded else self._dialect.stop(self.facts, self._stopped)
        return b"" if self._reader is None else self._reader.flush()

    def ended(self, admitted: Admitted) -> Outcome:
        """Return the outcome of an answer that came to its end."""
        if self._reader is None or self._status is None:
            msg = "begin() comes before ended()"
            raise RuntimeError(msg)
        seen = self._reader.observe()
        ttft_us = self._ttft(admitted)
        if self._stopped is not None:
            return stopped(seen, self._stopped, status=self._status, ttft_us=ttft_us)
        usage = seen.usage
        if seen.running is not None and usage is not None:
            usage = self._gate.meters.running.rise(self.call.service, seen.running, usage)
        return concluded(
            seen,
            usage,
            billable=self.facts.billable,
            status=self._status,
            retry_after=self._retry_after,
            quotas=self._quotas,
            ttft_us=ttft_us,
        )

    def broke(self, admitted: Admitted, error: BaseException, *, sent: bool) -> Outcome:
        """Return the outcome of a transport that failed; *sent*: the upstream may have had the request."""
        seen = None if self._reader is None else self._reader.observe()
        return Outcome(
            status="failed",
            verdict="failure",
            usage=NO_USAGE if not sent else seen.usage if seen is not None else None,
            estimated=sent,
            http_status=self._status,
            error=type(error).__name__ if self._patience is None else self._patience.told(error),
            ttft_us=self._ttft(admitted),
        )

    def left(self, admitted: Admitted) -> Outcome:
        """Return the outcome of a call whose caller went away: says nothing about the service."""
        seen = None if self._reader is None else self._reader.observe()
        return Outcome(
            status="cancelled",
            verdict="neutral",
            usage=None if seen is None else seen.usage,
            estimated=True,
            http_status=self._status,
            error="the caller went away",
            ttft_us=self._ttft(admitted),
        )

    def failure(self, outcome: Outcome) -> Failure | None:
        """Return what an answer with *outcome* says about trying again; None: it is an answer to keep.

        Kept is what the service did not fail, and any answer with a success status, since it may
        have been billed, unless it is a stream that said nothing but an error.
        """
        status = self._status or 0
        if outcome.verdict != "failure" or (status < _ERROR and not self._streaming):
            return None
        asked = self._retry_after
        return Failure(
            turned_away=is_turned_away(status),
            final=self._should_retry == "false",
            retry_after_us=None if asked is None else micros(asked),
        )

    def refusal(self, refusal: Refusal) -> WireRefusal:
        """Return *refusal* in the provider's own error shape."""
        return self._dialect.refusal(refusal)

    def success_headers(self, admitted: Admitted, settlement: Settlement | None) -> Headers:
        """Return what we add to an answer; the cost only where it is known before the answer goes."""
        return added_headers(admitted, settlement)

    def _ttft(self, admitted: Admitted) -> int | None:
        if self._first_at is None or not self.facts.streamed:
            return None
        return self._first_at.mono - admitted.started.mono
