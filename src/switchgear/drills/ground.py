"""What a scenario works on: a folder, a provider, servers, clients, and the ledger afterwards."""

from __future__ import annotations

import json
import socket
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Final, Self, TypeVar

import httpx2

from switchgear.drills.asking import Client
from switchgear.drills.process import ServerProcess
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    from switchgear.clock import Clock
    from switchgear.drills.sandbox.quota import Quota
    from switchgear.ledger.views import CallRow

__all__ = ["Ground", "NotRunError", "free_port"]

_PATIENCE: Final = 20.0
_LOOK: Final = 0.02
_T = TypeVar("_T")


class NotRunError(Exception):
    """A scenario lacks what it needs on this machine; *str()* of it says what."""


class Ground:
    """Set up by ``with`` for one scenario; at its end every process is ended.

    Args:
        folder: an empty folder of its own.
        clock: time.
        quick: whether to use fewer calls and shorter waits.
        say: is told what the scenario does now.
    """

    def __init__(self, *, folder: Path, clock: Clock, quick: bool, say: Callable[[str], object]) -> None:
        self.folder: Final = folder
        self.clock: Final = clock
        self.quick: Final = quick
        self.say: Final = say
        self._stack: Final = ExitStack()
        self._logs = 0

    @property
    def ledger_url(self) -> str:
        """The ledger of the servers and governors made here."""
        return f"sqlite:///{self.folder / 'ledger.db'}"

    def sandbox(self, *, quota: Quota | None = None, port: int = 0) -> Sandbox:
        """Return a provider that answers until the scenario's end."""
        return self._stack.enter_context(Sandbox(quota=quota, port=port))

    def write(self, settings: str, *, port: int = 0) -> Path:
        """Write a configuration with *settings*, the ledger of this ground and the server's *port*."""
        path = self.folder / "switchgear.toml"
        head = f"[server]\nport = {port}\n\n[ledger]\nurl = {json.dumps(self.ledger_url)}\n"
        path.write_text(f"{head}\n{settings}", encoding="utf-8")
        return path

    def serve(self, config: Path, *, environ: Mapping[str, str] | None = None) -> ServerProcess:
        """Start ``switchgear serve`` and return it once it answers; it ends with the scenario at the latest.

        *environ* comes on top of this process's own variables.

        Raises:
            ServerError: it does not start.
        """
        self._logs += 1
        log = self.folder / f"server-{self._logs}.log"
        return self._stack.enter_context(ServerProcess(config=config, log=log, clock=self.clock, environ=environ))

    def client(self, url: str) -> Client:
        """Return a client of the gateway at *url*."""
        return self._stack.enter_context(Client(url, self.clock))

    def plain_client(self, url: str) -> httpx2.Client:
        """Return an HTTP client for what *Client* does not do."""
        return self._stack.enter_context(httpx2.Client(base_url=url, trust_env=False, timeout=_PATIENCE))

    def enter(self, made: AbstractContextManager[_T]) -> _T:
        """Enter *made* and leave it at the scenario's end."""
        return self._stack.enter_context(made)

    def wait_until(self, happened: Callable[[], bool], *, patience: float = _PATIENCE) -> float | None:
        """Return after how many seconds *happened* was true; None: it was not within *patience* seconds."""
        began = self.clock.monotonic()
        while not happened():
            if self.clock.monotonic() - began > patience:
                return None
            self.clock.sleep(_LOOK)
        return self.clock.monotonic() - began

    def rows(self) -> list[CallRow]:
        """Return every attempt in the ledger, newest first, read from outside the server."""
        with Ledger.open(self.ledger_url, clock=self.clock, writable=False) as ledger:
            page = ledger.reader.calls(limit=500)
            rows = list(page.items)
            while page.next is not None:
                page = ledger.reader.calls(limit=500, after=page.next)
                rows += page.items
        return rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def free_port() -> int:
    """Return a port on loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
