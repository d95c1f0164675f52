"""Events become spans: attempts at once, a call when no further attempt comes, layers and runs when they are over."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Call
from switchgear.clock import MICROS
from switchgear.events import BreakerChanged, CallRefused, CallRetried, CallSettled
from switchgear.telemetry.spans.facts import ServiceFacts
from switchgear.telemetry.spans.groups import Groups
from switchgear.telemetry.spans.span import Attributes, Moment, Span
from switchgear.telemetry.spans.words import REFUSALS, attempt_words, call_words, error_type, refusal_words, usd
from switchgear.tracing import attempt_span, call_span, call_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.events import CircuitName, Event
    from switchgear.telemetry.spans.content import Said

__all__ = ["Tree"]

_DECIDED: Final = MICROS
"""Microseconds after which an attempt that failed was the last one, unless another one has been announced."""

_LOST: Final = 3600 * MICROS
"""Microseconds after which an attempt that was announced does not come any more."""


class _Open(msgspec.Struct, kw_only=True):
    """A call of which more may come; *until*: when it is over otherwise."""

    call: Call
    start: int
    end: int = 0
    waited: int = 0
    attempts: int = 0
    cost: int = 0
    unpriced: int = 0
    status: str = ""
    error: str | None = None
    message: str | None = None
    moments: list[Moment] = []
    refused: Attributes = {}
    until: int = 0


class Tree:
    """What is under way, at most *most* calls and as many layers and runs; what is beyond ends early.

    Args:
        services: the facts of each service.
        idle_us: a layer or run without a call for so long is over.
        most: see above.
        said: reads what was asked and answered, where events have it; None: that is left out.
    """

    def __init__(
        self, services: Mapping[str, ServiceFacts], *, idle_us: int, most: int = 10_000, said: Said | None = None
    ) -> None:
        self.services = services
        self._said: Final = said
        self._most: Final = most
        self._breakers: Final[dict[str, CircuitName]] = {}
        self._calls: Final[OrderedDict[str, _Open]] = OrderedDict()
        self._groups: Final = Groups(idle_us=idle_us, most=most)

    def take(self, event: Event) -> Iterator[Span]:
        """Yield the spans that *event* completes."""
        if isinstance(event, CallSettled):
            yield from self._settled(event)
        elif isinstance(event, CallRefused):
            yield from self._refused(event)
        elif isinstance(event, CallRetried):
            self._retried(event)
        elif isinstance(event, BreakerChanged):
            self._breakers[event.service] = event.new

    def tick(self, now: int) -> Iterator[Span]:
        """Yield the spans that are over at epoch microsecond *now* because nothing more has come."""
        for call_id in [call_id for call_id, one in self._calls.items() if one.until <= now]:
            yield self._ended(self._calls.pop(call_id))
        yield from self._groups.tick(now)

    def close(self) -> Iterator[Span]:
        """Yield everything that is under way as it stands."""
        while self._calls:
            yield self._ended(self._calls.popitem(last=False)[1])
        yield from self._groups.close()

    def _settled(self, event: CallSettled) -> Iterator[Span]:
        facts = self.services.get(event.call.service) or ServiceFacts(provider=event.call.service, models=False)
        breaker = self._breakers.get(event.call.service, "closed")
        attempt = _attempt(event, facts, breaker)
        content = None if event.outcome is None else event.outcome.content
        if content is not None and self._said is not None:
            attempt.attributes.update(self._said.words(content))
        yield attempt
        one = self._open(event.call, attempt.start - event.waited_us)
        one.end, one.status = event.at, event.status
        one.error, one.message = attempt.error, attempt.message
        one.attempts += 1
        one.waited += event.waited_us
        one.cost += event.cost or 0
        one.unpriced += event.cost is None
        self._groups.add(event.call, start=one.start, end=event.at, event=event)
        yield from self._hold(one) if event.status == "failed" else self._end(one)

    def _refused(self, event: CallRefused) -> Iterator[Span]:
        words = refusal_words(event.refusal)
        one = self._open(event.call, event.at - event.waited_us)
        one.end, one.status = event.at, "refused"
        one.error, one.message = REFUSALS[event.refusal.reason], event.refusal.message
        one.waited += event.waited_us
        one.refused = words
        one.moments.append(Moment(name="refused", at=event.at, attributes=words))
        self._groups.add(event.call, start=one.start, end=event.at, event=None)
        # Of refusals only a breaker's is followed by a try elsewhere.
        yield from self._hold(one) if event.refusal.reason == "breaker" else self._end(one)

    def _retried(self, event: CallRetried) -> None:
        one = self._calls.get(event.call.id)
        if one is not None:
            words: Attributes = {"switchgear.service": event.service, "switchgear.pause_ms": event.pause_us / 1000}
            one.moments.append(Moment(name="retried", at=event.at, attributes=words))
            one.until = event.at + _LOST

    def _open(self, call: Call, start: int) -> _Open:
        one = self._calls.get(call.id)
        if one is None:
            one = self._calls[call.id] = _Open(call=call, start=start)
        else:
            one.refused, one.call = {}, call
        return one

    def _hold(self, one: _Open) -> Iterator[Span]:
        one.until = one.end + _DECIDED
        while len(self._calls) > self._most:
            yield self._ended(self._calls.popitem(last=False)[1])

    def _end(self, one: _Open) -> Iterator[Span]:
        self._calls.pop(one.call.id)
        yield self._ended(one)

    def _ended(self, one: _Open) -> Span:
        call = one.call
        words = call_words(call) | one.refused
        words["switchgear.status"] = one.status
        words["switchgear.call.attempts"] = one.attempts
        words["switchgear.call.wait_ms"] = one.waited / 1000
        words["switchgear.call.cost_usd"] = usd(one.cost)
        if one.unpriced:
            words["switchgear.call.unpriced"] = one.unpriced
        return Span(
            kind="call",
            name=f"{call.service} {call.endpoint}",
            trace_id=call.trace_id or call_trace(call.id),
            span_id=call_span(call.id),
            parent=call.parent_span_id,
            start=one.start,
            end=one.end,
            attributes=words,
            moments=tuple(one.moments),
            error=one.error,
            message=one.message,
        )


def _attempt(event: CallSettled, facts: ServiceFacts, breaker: CircuitName) -> Span:
    call, outcome = event.call, event.outcome
    words = attempt_words(event, facts, breaker)
    text = None if outcome is None or event.status != "failed" else outcome.error or "failed"
    kind = None if text is None else error_type(text)
    if kind is not None:
        words["error.type"] = kind
    operation = words.get("gen_ai.operation.name")
    model = f"{operation} {call.model}" if call.model is not None else str(operation)
    return Span(
        kind="attempt",
        name=f"{call.service} {call.endpoint}" if operation is None else model,
        trace_id=call.trace_id or call_trace(call.id),
        span_id=attempt_span(call.id, call.attempt),
        parent=call_span(call.id),
        start=event.at - event.duration_us,
        end=event.at,
        attributes=words,
        error=kind,
        message=text,
        cost=event.cost,
        wire=True,
    )
