"""Which names a server answers to. Another name is how DNS rebinding gets a browser to read our pages."""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING, Final

from switchgear.gateway.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["NOT_OURS", "Hosts"]

NOT_OURS: Final = (
    "this server does not answer to that name, only to loopback ones (127.0.0.1, ::1, localhost) and those in "
    "server.hosts: a page elsewhere must not reach it under a name of its own"
)


class Hosts:
    """The names that a server answers to: loopback ones, and more.

    Args:
        names: others, in lower case.
        anywhere: it listens beyond loopback, so addresses are fine: who asks by one means the machine that has it.

    Attributes:
        include: tells whether the value of a Host header is one of them.
    """

    def __init__(self, names: Iterable[str] = (), *, anywhere: bool = False) -> None:
        self._names: Final = frozenset(names)
        self._anywhere: Final = anywhere
        # A server is asked for by a few names, thousands of times a second.
        self.include: Final[Callable[[bytes], bool]] = functools.lru_cache(maxsize=64)(self._include)

    def _include(self, header: bytes) -> bool:
        host = header.decode("latin-1")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        return is_loopback(name) or name.lower().rstrip(".") in self._names or (self._anywhere and _is_address(name))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
