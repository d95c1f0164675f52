"""``switchgear serve`` as a process of its own, as any user would run it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from switchgear.errors import SwitchgearError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from switchgear.clock import Clock

__all__ = ["NO_PROXY", "ServerError", "ServerProcess"]

NO_PROXY: Final = {"no_proxy": "*", "NO_PROXY": "*"}
"""Variables for whatever has its upstreams on this machine: no proxy stands between."""

_START_PATIENCE: Final = 30.0
_STOP_PATIENCE: Final = 10.0


class ServerError(SwitchgearError):
    """The server does not run; *str()* of it says why."""


class ServerProcess:
    """Runs a server for as long as the ``with`` block lasts.

    Args:
        config: its configuration.
        log: where its standard error goes.
        clock: what the time-out is measured by.
        environ: variables on top of this process's own.
    """

    def __init__(self, *, config: Path, log: Path, clock: Clock, environ: Mapping[str, str] | None = None) -> None:
        self._config: Final = config
        self._log: Final = log
        self._clock: Final = clock
        self._environ: Final = environ or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The id of the process; 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    def memory_mb(self) -> float | None:
        """Return its resident memory in MB; None where the system does not say."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
        return None if line is None else int(line.split()[1]) / 1024

    def wait(self) -> None:
        """Return when the process has ended."""
        if self._process is not None:
            self._process.wait()

    def terminate(self) -> None:
        """Tell it to end in order, and return at once."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it with SIGKILL, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Start it and wait until it answers; raises ServerError if it does not."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SWITCHGEAR_")}
        environ.update(NO_PROXY)
        environ.update(self._environ)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                (sys.executable, "-P", "-m", "switchgear", "serve", "--config", str(self._config)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environ,
                cwd=self._config.parent,
                start_new_session=True,  # Ctrl-C is for whoever started it, and then ends it
            )
        try:
            self.url = self._ready(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _ready(self, process: subprocess.Popen[bytes]) -> str:
        deadline = self._clock.monotonic() + _START_PATIENCE
        output = process.stdout
        said = b""
        while output is not None and not said.endswith(b"\n"):
            left = deadline - self._clock.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                msg = f"the server did not answer within {_START_PATIENCE:g} s"
                raise ServerError(msg)
            piece = os.read(output.fileno(), 4096)
            if not piece:
                why = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                msg = f"the server did not start (exit {process.wait()}): {why[-1] if why else 'it said nothing'}"
                raise ServerError(msg)
            said += piece
        return said.decode().removeprefix("ready ").strip()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            process.terminate()
            try:
                process.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
