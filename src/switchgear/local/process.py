"""The local model as a child process that never outlives its parent."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Final, Self

from switchgear.clock import Clock, SystemClock
from switchgear.local.model import LocalModelError, missing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["LocalModel"]

_STOP_PATIENCE: Final = 5.0


class LocalModel:
    """A real model for as long as ``with LocalModel() as model: model.url`` lasts.

    The engine runs in a process of its own, so that its memory and its crashes are not ours. The child
    ends when its standard input ends: also when this process is killed.

    Args:
        port: 0: one that is free, on 127.0.0.1.
        timeout: seconds that loading may take; it takes about one.
        command: what to run instead of the engine; for tests.
        clock: what the time-out is measured by.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        timeout: float = 60.0,
        command: Sequence[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        engine = (sys.executable, "-P", "-m", "switchgear.local", "--with-parent", "--port", str(port))
        self._command: Final = command or engine
        self._needs_model: Final = command is None
        self._timeout: Final = timeout
        self._clock: Final = clock or SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``: Anthropic's base URL; OpenAI's has ``/v1`` behind it."""
        return self._url

    @property
    def pid(self) -> int:
        """The id of the child process; 0 when there is none."""
        return 0 if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        """Start the model and wait until it answers.

        Raises:
            LocalModelError: something is not installed, or the model did not start in time.
        """
        if self._needs_model and (what := missing()) is not None:
            raise LocalModelError(what)
        with tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )
            try:
                self._url = self._ready(self._process, complaints)
            except BaseException:
                self._end()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _ready(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> str:
        deadline = self._clock.monotonic() + self._timeout
        output = process.stdout
        said = b""
        while output is not None and not said.endswith(b"\n"):
            left = deadline - self._clock.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                msg = f"the local model did not start within {self._timeout:g} s"
                raise LocalModelError(msg)
            piece = os.read(output.fileno(), 4096)
            if not piece:
                complaints.seek(0)
                why = complaints.read().decode(errors="replace").strip().splitlines()
                msg = f"the local model did not start (exit {process.wait()}): {why[-1] if why else 'it said nothing'}"
                raise LocalModelError(msg)
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
