"""From a request of the gateway's own protocol to its answer, through the gate."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final, Literal

from switchgear.clients.async_stream import drive
from switchgear.clients.journey import Answer, journey
from switchgear.errors import ConfigError, LedgerError, StallError, StateError
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.faults import FAULTS, UpstreamError, UpstreamTimeout
from switchgear.gateway.inbound import Problem
from switchgear.gateway.pool import Outgoing
from switchgear.gateway.problems import problem
from switchgear.gateway.upstreams import Upstreams, routes_of
from switchgear.governor.asked import Asked
from switchgear.governor.attempts import Attempts
from switchgear.governor.callers import Denied, DeniedError
from switchgear.governor.exchange import Exchange
from switchgear.wire.denials import denial
from switchgear.wire.unavailable import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchgear.clients.journey import Arrival
    from switchgear.clients.passage import Passage
    from switchgear.gateway.hosts import Hosts
    from switchgear.gateway.inbound import Inbound
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
        self._gate: Final = gate
        self._draw: Final = draw
        self._upstreams: Final[Upstreams] = {}
        self.routes = routes_of(gate.config.services, self._upstreams)

    def adopt(self) -> None:
        """Serve the services that are configured now. Calls in flight go on; connections are kept."""
        self.routes = routes_of(self._gate.config.services, self._upstreams)

    def check(self, request: Inbound) -> Problem | Denied | None:
        """Set who sends *request*, of which only the head need be here; return why it goes nowhere, None: it may go."""
        service = request.service
        callers = self._gate.callers
        caller = callers.identify(request.headers, self._gate.clock.moment().wall)
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
        config = self._gate.config.services.get(service)
        return "http" if config is None else config.kind

    async def answer(self, request: Inbound) -> Answer:
        """Return the answer to *request*; its body is bytes, or an *AsyncStream* that must be closed."""
        if isinstance(request.problem, Denied):
            return self._denied(request, request.problem)
        if request.problem is not None:
            return told(request.problem)
        try:
            return await self._through_the_gate(request)
        except StallError as error:
            found = Problem(504, "Gateway timeout", str(error))
        except UpstreamTimeout as error:
            name = type(error).__name__
            found = Problem(504, "Gateway timeout", f"{request.service} did not answer in time ({name})")
        except UpstreamError as error:
            found = Problem(502, "Bad gateway", f"{request.service} can't be reached ({type(error).__name__})")
        except DeniedError as error:
            return self._denied(request, self._gate.callers.count(error.denied))
        except ConfigError as error:
            found = Problem(503, "No provider key", str(error))
        except (LedgerError, StateError) as error:
            _log.error("a call to %s was not let go: %s", request.service, error)
            return self._unrecorded(request, error)
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
        body = request.body
        unread = not isinstance(body, bytes)
        asked = Asked(
            method=request.method,
            path=request.rest,
            headers=request.headers,
            body=body if isinstance(body, bytes) else b"",
            unread=unread,
            caller=request.caller,
        )

        async def send(passage: Passage, left_us: int | None) -> Arrival:
            exchange = passage.exchange
            route = self.routes.get(exchange.call.service)
            upstream = None if route is None else route.upstream
            left = None if left_us is None else max(0, left_us) / 1e6
            if route is None or upstream is None:
                msg = f"{exchange.call.service} has no address"
                raise UpstreamError(msg)
            return await upstream.send(
                Outgoing(
                    exchange.method,
                    route.prefix + exchange.path,
                    exchange.headers,
                    exchange.body if isinstance(body, bytes) else body,
                    exchange.repeat == "always",
                    route.connect if left is None else min(route.connect, left),
                    route.total if left is None else min(route.total, left),
                )
            )

        attempts = Attempts(self._gate, Exchange(self._gate, request.service, asked), self._draw)
        return await drive(self._gate, journey(attempts, FAULTS, refusals="response"), send)


def told(found: Problem) -> Answer:
    """Return the answer that says *found*."""
    headers, body = problem(found.status, found.title, found.detail, **found.extra)
    return Answer(found.status, headers, body, None)
