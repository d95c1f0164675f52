"""``switchgear serve``: one process or several, until a signal says that it is enough."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from switchgear.server.running import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.server.composing import Origin, Side

__all__ = ["serve"]

_INTERRUPTED = 130


def serve(
    origin: Origin,
    *,
    host: str | None,
    port: int | None,
    only: Side | None,
    announce: Callable[[str], None],
) -> int:
    """Run until SIGINT or SIGTERM; then let calls in flight end, settle them, and return the exit code.

    SIGHUP has the configuration read again. 0 after SIGTERM, 130 after SIGINT.

    Args:
        origin: the configuration.
        host: overrides ``server.host``.
        port: overrides ``server.port``; 0 takes a free one.
        only: see *Server*.
        announce: called with the server's URL once it answers.

    Raises:
        ConfigError: the port is in use, or the address is not a loopback one.
        LedgerError: the ledger can't be opened.
    """
    server = Server(origin.current.config, host=host, port=port, origin=origin, only=only)
    try:
        ended_by = server.run(announce)
    finally:
        # Nothing interrupts what is left: it takes moments, and each of them settles calls.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        server.close()
    return _INTERRUPTED if ended_by == signal.SIGINT else 0
