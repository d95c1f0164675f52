"""What the gateway sends through, chosen for each service: its own client, or httpx2 where a proxy is between."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import httpx2

from switchgear.clients.trust import Contexts
from switchgear.clients.wires import proxy_for
from switchgear.clock import MICROS
from switchgear.gateway.pool import Pool
from switchgear.gateway.proxied import ProxiedUpstream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.clients.journey import Arrival
    from switchgear.config.model import ServiceConfig
    from switchgear.gateway.pool import Outgoing

__all__ = ["Place", "Route", "Upstream", "Upstreams", "routes_of"]


class Upstream(Protocol):
    """One place that requests are sent to."""

    async def send(self, request: Outgoing) -> Arrival:
        """Send *request*; return the head of the answer, with an *AsyncSource* of its bytes.

        Raises:
            UpstreamError: there is none.
        """

    async def aclose(self) -> None:
        """Close its connections."""


class Route(NamedTuple):
    """The way to a service.

    Attributes:
        prefix: the path of its base URL, without a slash at the end.
        upstream: what sends there; None: the service has no address.
        connect, total: seconds for a connection, and for a call.
    """

    prefix: str
    upstream: Upstream | None
    connect: float
    total: float


class Place(NamedTuple):
    """Where requests are sent, and over what: services that agree in all of it share connections.

    Attributes:
        scheme, host, port: of the base URL.
        netloc: what the ``host`` header says.
        ca_file: whom TLS trusts besides the usual authorities.
        most: connections at a time.
    """

    scheme: str
    host: str
    port: int
    netloc: str
    ca_file: str | None
    most: int


Upstreams = dict[Place, Upstream]
"""What sends to each place."""


def routes_of(services: Mapping[str, ServiceConfig], upstreams: Upstreams) -> dict[str, Route]:
    """Return the way to each service. Services at one place share its connections, which are kept in *upstreams*.

    Raises:
        ConfigError: a file of authorities can't be read.
    """
    contexts = Contexts()
    routes: dict[str, Route] = {}
    for name, service in services.items():
        upstream: Upstream | None = None
        url = httpx2.URL(service.base_url or "")
        if url.host:
            place = Place(
                scheme=url.scheme,
                host=url.raw_host.decode("ascii"),
                port=url.port or (443 if url.scheme == "https" else 80),
                netloc=url.netloc.decode("ascii"),
                ca_file=service.ca_file,
                most=service.max_connections,
            )
            upstream = upstreams.get(place)
            if upstream is None:
                upstream = upstreams[place] = _upstream(place, contexts)
        prefix = url.raw_path.decode("ascii").rstrip("/")
        total = service.timeout / MICROS
        routes[name] = Route(prefix, upstream, min(service.connect_timeout / MICROS, total), total)
    return routes


def _upstream(place: Place, contexts: Contexts) -> Upstream:
    proxy = proxy_for(place.scheme, place.host)
    if proxy is not None:
        return ProxiedUpstream(
            f"{place.scheme}://{place.netloc}", proxy, context=contexts.get(place.ca_file), most=place.most
        )
    context = contexts.get(place.ca_file) if place.scheme == "https" else None
    return Pool(place.host, place.port, netloc=place.netloc, context=context, most=place.most)
