"""What follows from the head of a request alone: a head that comes again need not be made out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear import context
from switchgear.calls import NO_ATTRIBUTION
from switchgear.governor.attribution import attribution_for, with_baggage
from switchgear.governor.headers import index_of, trace_of
from switchgear.governor.outgoing import auth_headers, outgoing_headers

if TYPE_CHECKING:
    from switchgear.calls import Attribution
    from switchgear.governor.asked import Asked
    from switchgear.governor.gate import Gate
    from switchgear.governor.headers import Headers
    from switchgear.wire.base import RequestFacts

__all__ = ["Prepared", "Sent", "prepared_for"]


class Sent:
    """The headers that a request goes on with; its length, where it tells one, is in between.

    Args:
        before, after: those around the length.
    """

    __slots__ = ("_after", "_before", "_lines")

    def __init__(self, before: Headers, after: Headers) -> None:
        self._before: Final = before
        self._after: Final = after
        self._lines: tuple[bytes, bytes] | None = None

    def listed(self, length: int | None) -> Headers:
        """Return them in order."""
        middle = [] if length is None else [("content-length", str(length))]
        return [*self._before, *middle, *self._after]

    def encoded(self, length: int | None) -> bytes:
        """Return them as lines of a head."""
        lines = self._lines
        if lines is None:
            lines = self._lines = _lines(self._before), _lines(self._after)
        before, after = lines
        return before + after if length is None else b"%bcontent-length: %d\r\n%b" % (before, length, after)


class Prepared:
    """The head of a request, made out under the terms in force.

    Args:
        gate: whose terms they are.
        service: a configured service's name.
        asked: the request.

    Attributes:
        index: its headers by name.

    Raises:
        ConfigError: no such service.
    """

    __slots__ = (
        "_gate",
        "_said",
        "_sent",
        "_service",
        "_terms",
        "caller",
        "config",
        "dialect",
        "endpoint",
        "index",
        "parent_span_id",
        "trace_id",
    )

    def __init__(self, gate: Gate, service: str, asked: Asked) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._terms: Final = gate.terms, gate.meters
        self._said: Attribution | None = None
        self._sent: Final[dict[bool, Sent]] = {}
        self.caller: Final = asked.caller
        self.config: Final = gate.service(service)
        self.endpoint: Final = asked.path.partition("?")[0]
        self.index: Final = index_of(asked.headers)
        self.dialect: Final = gate.meters.dialect(service, self.config.kind, self.endpoint)
        self.trace_id, self.parent_span_id = trace_of(self.index)

    def holds(self, asked: Asked) -> bool:
        """Return whether it is what would be made out for *asked* now, which has the same head."""
        terms, meters = self._terms
        return terms is self._gate.terms and meters is self._gate.meters and self.caller is asked.caller

    def attribution(self, asked: Asked) -> Attribution:
        """Return whose call *asked* is."""
        sources = self.config.attribution_from
        if sources or context.current() is not NO_ATTRIBUTION:
            return attribution_for(asked, sources)
        if self._said is None:
            self._said = attribution_for(asked, ())
        return self._said

    def sent(self, asked: Asked, facts: RequestFacts, attribution: Attribution) -> Sent:
        """Return the headers that *asked* goes on with.

        Raises:
            ConfigError: the key that the service names is missing, where the caller brings none.
        """
        sent = self._sent.get(facts.adds_usage)
        if sent is not None and attribution is self._said:
            return sent
        key = self._gate.key_of(self._service)
        auth = auth_headers(key, service=self._service, config=self.config, dialect=self.dialect, asked=asked)
        before = outgoing_headers(asked, self.index, facts=facts, auth=auth)
        after: Headers = []
        if self.config.gateway:
            before, after = with_baggage(before, attribution)
        sent = Sent(before, after)
        if attribution is self._said:
            self._sent[facts.adds_usage] = sent
        return sent


def prepared_for(gate: Gate, service: str, asked: Asked) -> Prepared:
    """Return the head of *asked*, made out, or as it is remembered.

    Raises:
        ConfigError: no such service.
    """
    recall = asked.recall
    if recall is None:
        return Prepared(gate, service, asked)
    if recall.prepared is None or not recall.prepared.holds(asked):
        recall.prepared = Prepared(gate, service, asked)
    return recall.prepared


def _lines(headers: Headers) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")
