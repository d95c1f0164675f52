"""Which names and addresses stay on this machine."""

from __future__ import annotations

import functools
import ipaddress

__all__ = ["is_loopback", "names_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether *host* is ``localhost`` or a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.lru_cache(maxsize=64)
def names_loopback(header: bytes) -> bool:
    """Return whether the value of a Host *header* names loopback.

    Another name is how DNS rebinding gets a browser to read our pages.
    """
    host = header.decode("latin-1")
    return is_loopback(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])
