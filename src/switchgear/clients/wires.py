"""What sends the requests of a governed transport by default: httpx2, with the trust and the proxy of each service."""

from __future__ import annotations

import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import httpx2

from switchgear.clients.trust import context_for

if TYPE_CHECKING:
    from switchgear.config.model import ServiceConfig


__all__ = ["CA_FILE", "AsyncWire", "Wire", "proxy_for"]

CA_FILE: Final = "switchgear.ca_file"
"""The extension of a request that names the file of authorities that its service trusts besides the usual ones."""

_Way = tuple[str | None, str | None]
"""A file of authorities, and a proxy."""

_Place = tuple[str | None, str, str]
"""A file of authorities, a scheme and a host: what decides on the way."""


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment (``https_proxy``, ``no_proxy``, ...) has for *host*; None: none."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if proxy and not urllib.request.proxy_bypass(host) else None


def _place(request: httpx2.Request) -> _Place:
    return request.extensions.get(CA_FILE), request.url.scheme, request.url.host


def _way(place: _Place) -> _Way:
    ca_file, scheme, host = place
    return ca_file, proxy_for(scheme, host)


def _settings(way: _Way) -> dict[str, Any]:
    ca_file, proxy = way
    return {"verify": context_for(ca_file), "proxy": proxy}


def _place_of(service: ServiceConfig | None) -> _Place | None:
    if service is None or service.base_url is None:
        return None
    url = httpx2.URL(service.base_url)
    return service.ca_file, url.scheme, url.host


class Wire(httpx2.BaseTransport):
    """One ``httpx2.HTTPTransport`` for each way to go, made with its first request; the environment is read once.

    Args:
        ready_for: the way to this service is made now, since that takes milliseconds.
    """

    def __init__(self, ready_for: ServiceConfig | None = None) -> None:
        self._lock: Final = threading.Lock()
        self._made: Final[dict[_Way, httpx2.HTTPTransport]] = {}
        self._found: Final[dict[_Place, httpx2.HTTPTransport]] = {}
        if (place := _place_of(ready_for)) is not None:
            self._find(place)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._find(_place(request)).handle_request(request)

    def _find(self, place: _Place) -> httpx2.HTTPTransport:
        inner = self._found.get(place)
        if inner is None:
            inner = self._found[place] = self._make(_way(place))
        return inner

    def _make(self, way: _Way) -> httpx2.HTTPTransport:
        settings = {} if way in self._made else _settings(way)  # reads files, so not under the lock
        with self._lock:
            found = self._made.get(way)
            if found is None:
                found = self._made[way] = httpx2.HTTPTransport(**settings)
            return found

    def close(self) -> None:
        for inner in self._made.values():
            inner.close()


class AsyncWire(httpx2.AsyncBaseTransport):
    """The same for tasks.

    Args:
        ready_for: as there.
        limits: of connections; default: those of httpx2.
    """

    def __init__(self, ready_for: ServiceConfig | None = None, *, limits: httpx2.Limits | None = None) -> None:
        self._limits: Final[dict[str, Any]] = {} if limits is None else {"limits": limits}
        self._made: Final[dict[_Way, httpx2.AsyncHTTPTransport]] = {}
        self._found: Final[dict[_Place, httpx2.AsyncHTTPTransport]] = {}
        if (place := _place_of(ready_for)) is not None:
            self._find(place)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._find(_place(request)).handle_async_request(request)

    def _find(self, place: _Place) -> httpx2.AsyncHTTPTransport:
        inner = self._found.get(place)
        if inner is None:
            way = _way(place)
            inner = self._made.get(way)
            if inner is None:
                inner = self._made[way] = httpx2.AsyncHTTPTransport(**_settings(way), **self._limits)
            self._found[place] = inner
        return inner

    async def aclose(self) -> None:
        for inner in self._made.values():
            await inner.aclose()
