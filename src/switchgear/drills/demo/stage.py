"""Everything that the demo needs running: the upstreams, with a count of what they served, and the server."""

from __future__ import annotations

import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from switchgear.drills.demo.relay import CountingRelay
from switchgear.drills.demo.settings import Addresses, configuration
from switchgear.drills.process import ServerProcess
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import ConfigError
from switchgear.local import MODEL, LocalModel

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from switchgear.clock import Clock

__all__ = ["PORT", "Stage"]

PORT: Final = 8400
"""The port that is taken where it is free and no other was asked for."""

_STAND_IN: Final = "sandbox-model"


class Stage:
    """Set up by ``with``; whatever way the block is left, every process ends and a temporary folder goes.

    Args:
        clock: time.
        folder: where configuration and ledger go; None: a temporary folder.
        port: the server's; None: *PORT*, or a free one where that is taken; 0: a free one.
        real_model: False puts the sandbox in the model's place.
        progress: is told what is being started.

    Raises:
        ConfigError: the folder holds something already, or the port is in use.
        ServerError: the server does not start.
        LocalModelError: the model does not start.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        folder: Path | None,
        port: int | None,
        real_model: bool,
        progress: Callable[[str], object],
    ) -> None:
        self._clock: Final = clock
        self._asked_folder: Final = folder
        self._asked_port: Final = port
        self._real_model: Final = real_model
        self._progress: Final = progress
        self._running: Final = ExitStack()
        self._served: Callable[[], int] = int

    @property
    def model(self) -> str:
        """The name of the model behind the services ``local`` and ``local_messages``."""
        return MODEL if self._real_model else _STAND_IN

    @property
    def url(self) -> str:
        """The server's: gateway, API and dashboard."""
        return self.server.url

    @property
    def ledger_url(self) -> str:
        """The ledger's, to be read from outside the server."""
        return f"sqlite:///{self.folder / 'switchgear.db'}"

    def upstream_served(self) -> int:
        """Return how many requests the upstreams answered, counted at them and not at the gate."""
        return self._served()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self.folder = self._folder(undo)
            self.config = self.folder / "switchgear.toml"
            self.sandbox = undo.enter_context(Sandbox())
            model_url = self._model(undo)
            at = Addresses(
                port=_free_port(self._asked_port),
                ledger=self.folder / "switchgear.db",
                model=model_url,
                sandbox=self.sandbox.url,
            )
            self.config.write_text(configuration(at, model=self.model), encoding="utf-8")
            self._progress("starting the server")
            log = self.folder / "server.log"
            self.server = undo.enter_context(ServerProcess(config=self.config, log=log, clock=self._clock))
            self._running.push(undo.pop_all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _folder(self, undo: ExitStack) -> Path:
        asked = self._asked_folder
        if asked is None:
            return Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="switchgear-demo-")))
        try:
            asked.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{asked}: can't be made: {error.strerror}"
            raise ConfigError(msg) from None
        if any(asked.iterdir()):
            msg = f"{asked} is not empty; the demo wants a folder of its own, so that its figures are its own"
            raise ConfigError(msg)
        return asked.resolve()

    def _model(self, undo: ExitStack) -> str:
        """Start what answers as the model, and set how the upstreams are counted."""
        if self._real_model:
            self._progress(f"starting {MODEL}")
            relay = undo.enter_context(CountingRelay(undo.enter_context(LocalModel(clock=self._clock)).url))
            self._served = lambda: relay.served + self.sandbox.stats().served
            return relay.url
        stand_in = undo.enter_context(Sandbox())
        self._served = lambda: stand_in.stats().served + self.sandbox.stats().served
        return stand_in.url


def _free_port(asked: int | None) -> int:
    """Return *asked*, or one that is free; whoever listens next should be the server."""
    for port in (PORT, 0) if asked is None else (asked,):
        try:
            with socket.create_server(("127.0.0.1", port)) as listener:
                return int(listener.getsockname()[1])
        except OSError as error:
            taken = error
    msg = f"can't listen on 127.0.0.1 port {asked}: {taken.strerror}; `--port` chooses another"
    raise ConfigError(msg)
