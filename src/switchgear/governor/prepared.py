"""What follows from the head of a request alone: a head that comes again need not be made out again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear import context
from switchgear.calls import NO_ATTRIBUTION
from switchgear.governor.attribution import attribution_for
from switchgear.governor.headers import index_of
from switchgear.governor.outgoing import auth_headers, outgoing_headers
from switchgear.tracing import parsed

if TYPE_CHECKING:
    from switchgear.calls import Attribution
    from switchgear.governor.asked import Asked
    from switchgear.governor.gate import Gate
    from switchgear.governor.headers import Headers
    from switchgear.wire.base import RequestFacts

__all__ = ["Prepared", "Sent", "encoded", "prepared_for"]


class Sent:
    """The headers that a request goes on with; its length, where it tells one, follows them."""

    __slots__ = ("_headers", "_lines")

    def __init__(self, headers: Headers) -> None:
        self._headers: Final = headers
        self._lines: bytes | None = None

    def listed(self, length: int | None) -> Headers:
        """Return them in order."""
        return [*self._headers] if length is None else [*self._headers, ("content-length", str(length))]

    def encoded(self, length: int | None) -> bytes:
        """Return them as lines of a head."""
        lines = self._lines
        if lines is None:
            lines = self._lines = encoded(self._headers)
        return lines if length is None else b"%bcontent-length: %d\r\n" % (lines, length)


class Prepared:
    """The head of a request, made out under the terms in force.

    Args:
        gate: whose terms they are.
        service: a configured service's name.
        asked: the request.

    Attributes:
        index: its headers by name.
        traced: trace id and span id of its ``traceparent``, each None where it is not readable; None: it has none.

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
        "traced",
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
        traceparent = self.index.get("traceparent")
        self.traced: Final = None if traceparent is None else parsed(traceparent)

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
        sent = Sent(outgoing_headers(asked, self.index, facts=facts, auth=auth))
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


def encoded(headers: Headers) -> bytes:
    """Return *headers* as lines of a head."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode("latin-1")
