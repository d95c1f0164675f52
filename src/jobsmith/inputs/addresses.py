"""Which addresses may be fetched from: public ones, and no others."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from jobsmith.errors import InputError

__all__ = ["Resolve", "is_public", "public_address", "resolved", "split_url"]

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Returns the addresses of a host."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_IPV4: Final = 0xFFFFFFFF
_LONGEST_URL: Final = 2000


def split_url(url: str) -> SplitResult:
    """Return the parts of *url*.

    Raises:
        InputError: it is no plain http or https URL.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as error:
        msg = f"{url[:100]!r} is no URL: {error}"
        raise InputError(msg) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine or len(url) > _LONGEST_URL:
        msg = f"{url[:100]!r} is no http or https URL"
        raise InputError(msg)
    if parts.username is not None or parts.password is not None:
        msg = "a URL with a user name or password is not fetched"
        raise InputError(msg)
    return parts


def is_public(address: str) -> bool:
    """Return whether *address* is one of the public internet: no private, loopback, link-local or reserved one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & _IPV4)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


async def resolved(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver has for *host*."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def public_address(host: str, port: int, *, resolve: Resolve = resolved) -> str:
    """Return an address of *host* to connect to. Who connects to it, and to no other, can't be sent elsewhere later.

    Raises:
        InputError: it has none, or one of them is not public.
    """
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        msg = f"{host} has no address"
        raise InputError(msg)
    if not all(is_public(address) for address in addresses):
        msg = f"{host} is not on the public internet, and nothing else is fetched; save the posting to a file"
        raise InputError(msg)
    return addresses[0]
