"""What the gateway sends through, chosen for each service: its own client, or httpx2 where a proxy is between."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import httpx2

from switchgear.gateway.pool import Pool
from switchgear.gateway.proxied import ProxiedUpstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from switchgear.clients.journey import Arrival
    from switchgear.config.model import ServiceConfig
    from switchgear.gateway.pool import Outgoing

__all__ = ["Route", "Upstream", "Upstreams", "routes_of"]

_CONNECT: Final = 10.0
"""Seconds that a connection may take."""


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
        connect, read: seconds.
    """

    prefix: str
    upstream: Upstream | None
    connect: float
    read: float


Upstreams = dict[tuple[str, str, int], Upstream]
"""What sends to each place: scheme, host, port."""


def routes_of(services: Mapping[str, ServiceConfig], upstreams: Upstreams) -> dict[str, Route]:
    """Return the way to each service. Services at one address share its connections, which are kept in *upstreams*."""
    context: ssl.SSLContext | None = None
    routes: dict[str, Route] = {}
    for name, service in services.items():
        seconds = service.timeout / 1e6
        upstream: Upstream | None = None
        url = httpx2.URL(service.base_url or "")
        if url.host:
            secure = url.scheme == "https"
            if secure and context is None:
                context = httpx2.create_ssl_context()  # trusts whom the fallback trusts
                context.set_alpn_protocols(["http/1.1"])
            place = (url.scheme, url.raw_host.decode("ascii"), url.port or (443 if secure else 80))
            upstream = upstreams.get(place)
            if upstream is None:
                netloc = url.netloc.decode("ascii")
                upstream = upstreams[place] = _upstream(place, netloc, context if secure else None)
        prefix = url.raw_path.decode("ascii").rstrip("/")
        routes[name] = Route(prefix, upstream, min(_CONNECT, seconds), seconds)
    return routes


def _upstream(place: tuple[str, str, int], netloc: str, context: ssl.SSLContext | None) -> Upstream:
    scheme, host, port = place
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(host):
        return ProxiedUpstream(f"{scheme}://{netloc}", proxy)
    return Pool(host, port, netloc=netloc, context=context)
