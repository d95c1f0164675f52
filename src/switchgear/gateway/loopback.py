"""Which names and addresses stay on this machine."""

from __future__ import annotations

import ipaddress

__all__ = ["is_address", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether *host* is ``localhost`` or a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Return whether *host* is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
