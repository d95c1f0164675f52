"""From a request of the gateway's own protocol to its answer, through the gate."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any, Final, Literal

from switchgear.clients.async_stream import drive
from switchgear.clients.journey import Answer, journey
from switchgear.errors import ConfigError, LedgerError, StallError, StateError
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.faults import FAULTS, UpstreamError, UpstreamTimeout
from switchgear.gateway.inbound import Problem
from switchgear.gateway.pool import Outgoing, Pool
from switchgear.gateway.problems import problem
from switchgear.gateway.upstreams import Upstreams, routes_of
from switchgear.governor.asked import Asked
from switchgear.governor.attempts import Attempts
from switchgear.governor.callers import Denied, DeniedError
from switchgear.governor.exchange import Exchange
from switchgear.state.twins import Twins
from switchgear.wire.denials import denial
from switchgear.wire.unavailable import unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from switchgear.clients.async_stream import AsyncSource
    from switchgear.clients.journey import Arrival, Step
    from switchgear.clients.passage import Passage
    from switchgear.gateway.hosts import Hosts
    from switchgear.gateway.inbound import Inbound
    from switchgear.gateway.upstreams import Route
    from switchgear.governor.gate import Gate

__all__ = ["Counter", "no_such_service", "told"]

_log = logging.getLogger("switchgear.gateway")


def no_such_service(service: str, known: Mapping[str, object]) -> Problem:
    """Return the answer to a path that names no service."""
    names = sorted(known)
    detail = f"there is no service {service!r}; the configured ones are: {', '.join(names)}"
    return Problem(404, "Unknown service", detail, services=names)


class Counter:
    """Where requests are served. Make it inside a running loop; *aclose* it there.

    Args:
        gate: the gate that every request goes through.
        hosts: the names that it answers to.
        draw: returns a random number from 0 up to but not including 1, for the jitter between attempts.

    Attributes:
        rides: the state answers at once, so a request needs no task to ask it.
        routes: the way to each service.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        hosts: Hosts,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.hosts: Final = hosts
        self.bounds: Final = bounds_of(gate.config.server)
        self.gate: Final = gate
        self.rides: Final = isinstance(gate.state, Twins)
        self._draw: Final = draw
        self._upstreams: Final[Upstreams] = {}
        self.routes = routes_of(gate.config.services, self._upstreams)

    def adopt(self) -> None:
        """Serve the services that are configured now. Calls in flight go on; connections are kept."""
        self.routes = routes_of(self.gate.config.services, self._upstreams)

    def check(self, request: Inbound) -> Problem | Denied | None:
        """Set who sends *request*, of which only the head need be here; return why it goes nowhere, None: it may go."""
        service = request.service
        callers = self.gate.callers
        caller = callers.identify(request.headers, self.gate.clock.moment().wall)
        if isinstance(caller, Denied):
            return caller
        if (denied := caller.denied_service(service)) is not None:
            return callers.count(denied)
        request.caller = caller
        route = self.routes.get(service)
        if route is None:
            return no_such_service(service, self.routes)
        if route.upstream is None:
            detail = f"service {service!r} has no base_url: use it from Python, with gov.call or gov.protect"
            return Problem(404, "No such upstream", detail)
        return None

    def kind_of(self, service: str) -> str:
        """Return the kind of *service*; one that was taken out of the configuration meanwhile has none of its own."""
        config = self.gate.config.services.get(service)
        return "http" if config is None else config.kind

    def turned_away(self, request: Inbound) -> Answer | None:
        """Return the answer to a *request* that goes nowhere; None: it may go."""
        if request.problem is None:
            return None
        if isinstance(request.problem, Denied):
            return self._denied(request, request.problem)
        return told(request.problem)

    async def answer(self, request: Inbound, rest: Awaitable[Answer] | None = None) -> Answer:
        """Return the answer to *request*, which may go; *rest* brings it if that is under way already.

        Its body is bytes, or an *AsyncStream* that must be closed.
        """
        try:
            return await (self._through_the_gate(request) if rest is None else rest)
        except Exception as error:
            answer = self.explained(request, error)
            if answer is None:
                raise
            return answer

    def explained(self, request: Inbound, error: Exception) -> Answer | None:
        """Return the answer that says why *request* has none; None: *error* is none that may happen."""
        name = type(error).__name__
        if isinstance(error, StallError):
            found = Problem(504, "Gateway timeout", str(error))
        elif isinstance(error, UpstreamTimeout):
            found = Problem(504, "Gateway timeout", f"{request.service} did not answer in time ({name})")
        elif isinstance(error, UpstreamError):
            found = Problem(502, "Bad gateway", f"{request.service} can't be reached ({name})")
        elif isinstance(error, DeniedError):
            return self._denied(request, self.gate.callers.count(error.denied))
        elif isinstance(error, ConfigError):
            found = Problem(503, "No provider key", str(error))
        elif isinstance(error, LedgerError | StateError):
            _log.error("a call to %s was not let go: %s", request.service, error)
            return self._unrecorded(request, error)
        else:
            return None
        return told(found)

    async def aclose(self) -> None:
        """Close the connections to the upstreams."""
        for upstream in self._upstreams.values():
            await upstream.aclose()

    def _unrecorded(self, request: Inbound, error: LedgerError | StateError) -> Answer:
        reason: Literal["ledger", "state"] = "ledger" if isinstance(error, LedgerError) else "state"
        wire = unavailable(self.kind_of(request.service), request.rest, reason=reason, detail=str(error))
        headers = [*wire.headers, ("content-length", str(len(wire.body))), ("cache-control", "no-store")]
        return Answer(wire.status, headers, wire.body, None)

    def _denied(self, request: Inbound, denied: Denied) -> Answer:
        wire = denial(self.kind_of(request.service), denied.status, denied.why, denied.message)
        return Answer(wire.status, [*wire.headers, ("content-length", str(len(wire.body)))], wire.body, None)

    async def _through_the_gate(self, request: Inbound) -> Answer:
        return await drive(self.gate, self.journey(request), self.sender(request))

    def journey(self, request: Inbound) -> Generator[Step, Any, Answer]:
        """Return the steps of *request*, whose body is here or is passed on while it comes.

        Raises:
            ConfigError: there is no such service any more, or no key for it.
            DeniedError: who asks may not ask for this.
        """
        body = request.body
        unread = not isinstance(body, bytes)
        asked = Asked(
            method=request.method,
            path=request.rest,
            headers=request.headers,
            body=body if isinstance(body, bytes) else b"",
            unread=unread,
            caller=request.caller,
            recall=request.recall,
        )
        attempts = Attempts(self.gate, Exchange(self.gate, request.service, asked), self._draw)
        return journey(attempts, FAULTS, refusals="response")

    def sender(self, request: Inbound) -> Callable[[Passage, int | None], Awaitable[Arrival]]:
        """Return what sends the attempts of *request*."""

        async def send(passage: Passage, left_us: int | None) -> Arrival:
            exchange = passage.exchange
            route = self.routes.get(exchange.call.service)
            if route is None or route.upstream is None:
                msg = f"{exchange.call.service} has no address"
                raise UpstreamError(msg)
            return await route.upstream.send(self.outgoing(exchange, route, request.body, left_us))

        return send

    @staticmethod
    def outgoing(exchange: Exchange, route: Route, body: bytes | AsyncSource, left_us: int | None) -> Outgoing:
        """Return what goes to the upstream; *body* as the client sends it, *left_us* is what the journey allows."""
        left = None if left_us is None else max(0, left_us) / 1e6
        here = isinstance(body, bytes)
        encoded = here and isinstance(route.upstream, Pool)
        return Outgoing(
            exchange.method,
            route.prefix + exchange.path,
            [] if encoded else exchange.headers,
            exchange.body if here else body,
            exchange.repeat == "always",
            route.connect if left is None else min(route.connect, left),
            route.total if left is None else min(route.total, left),
            exchange.head_lines if encoded else b"",
        )


def told(found: Problem) -> Answer:
    """Return the answer that says *found*."""
    headers, body = problem(found.status, found.title, found.detail, **found.extra)
    return Answer(found.status, headers, body, None)
