"""What sends the requests of a governed transport by default: httpx2, with the trust and the proxy of each service."""

from __future__ import annotations

import threading
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import httpx2

from switchgear.clients.trust import context_for

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CA_FILE", "AsyncWire", "Wire", "proxy_for"]

CA_FILE: Final = "switchgear.ca_file"
"""The extension of a request that names the file of authorities that its service trusts besides the usual ones."""

_Way = tuple[str | None, str | None]
"""A file of authorities, and a proxy."""


def proxy_for(scheme: str, host: str) -> str | None:
    """Return the proxy that the environment (``https_proxy``, ``no_proxy``, ...) has for *host*; None: none."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    return proxy if proxy and not urllib.request.proxy_bypass(host) else None


def _way(request: httpx2.Request) -> _Way:
    return request.extensions.get(CA_FILE), proxy_for(request.url.scheme, request.url.host)


def _settings(way: _Way) -> dict[str, Any]:
    ca_file, proxy = way
    return {"verify": context_for(ca_file), "proxy": proxy}


class Wire(httpx2.BaseTransport):
    """One ``httpx2.HTTPTransport`` for each way to go, made with its first request."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._made: Final[dict[_Way, httpx2.HTTPTransport]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        way = _way(request)
        inner = self._made.get(way)
        if inner is None:
            inner = self._keep(way, _settings(way))
        return inner.handle_request(request)

    def _keep(self, way: _Way, settings: Mapping[str, Any]) -> httpx2.HTTPTransport:
        with self._lock:
            return self._made.setdefault(way, httpx2.HTTPTransport(**settings))

    def close(self) -> None:
        for inner in self._made.values():
            inner.close()


class AsyncWire(httpx2.AsyncBaseTransport):
    """The same for tasks.

    Args:
        limits: of connections; default: those of httpx2.
    """

    def __init__(self, limits: httpx2.Limits | None = None) -> None:
        self._limits: Final[dict[str, Any]] = {} if limits is None else {"limits": limits}
        self._made: Final[dict[_Way, httpx2.AsyncHTTPTransport]] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = _way(request)
        inner = self._made.get(way)
        if inner is None:
            inner = self._made[way] = httpx2.AsyncHTTPTransport(**_settings(way), **self._limits)
        return await inner.handle_async_request(request)

    async def aclose(self) -> None:
        for inner in self._made.values():
            await inner.aclose()
