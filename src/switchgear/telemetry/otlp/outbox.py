"""The gate's side of the export: events are handed on to the exporting process, in no call's way."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.events import BreakerChanged, CallRefused, CallRetried, CallSettled
from switchgear.insight.exports import DestinationCounts, ExportCounts
from switchgear.telemetry.otlp.frames import Moments, framed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from switchgear.calls import Content
    from switchgear.clock import Clock
    from switchgear.events import Event
    from switchgear.telemetry.otlp.frames import Exported, Frame, Setup

__all__ = ["Outbox"]

_WANTED: Final = (BreakerChanged, CallRefused, CallRetried, CallSettled)
_BATCH: Final = 500
_MOST_CONTENT: Final = 32 << 20
"""Bytes of prompts and answers that wait; events beyond it go without."""

_PAUSE: Final = 0.5
"""Seconds between two frames."""

_LONGEST_PAUSE: Final = 60 * MICROS
_MOST_FAILURES: Final = 10
"""A process that does not get to work is started after 0, 1, 3, 7 ... 60 seconds."""

_ENDING: Final = 8.0
"""Seconds that the other process gets to end."""

_log = logging.getLogger("switchgear.telemetry")


def spawn() -> subprocess.Popen[bytes]:
    """Start the exporting process."""
    command = [sys.executable, "-m", "switchgear.telemetry.otlp.exporting"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module


class Outbox:
    """Takes events and never blocks; *most* of them wait at most, what is more is counted and gone.

    A process that ends is started again, with what it knew gone: spans under way then are lost, and said so.

    Args:
        setup: what the exporting process holds to.
        clock: time.
        most: see above.
        start: starts the process.
    """

    def __init__(
        self, setup: Setup, *, clock: Clock, most: int, start: Callable[[], subprocess.Popen[bytes]] = spawn
    ) -> None:
        self._setup = setup
        self._clock: Final = clock
        self._most: Final = most
        self._start: Final = start
        self._waiting: Final[deque[Exported]] = deque()
        self._ending: Final = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._told: Setup | None = None
        self._failures = self._not_before = 0
        self._reader: threading.Thread | None = None
        to = [DestinationCounts(name=one.name, signal=one.signal, url=one.shown) for one in setup.destinations]
        self._counts = ExportCounts(destinations=tuple(to))
        self._dropped = self._content = 0
        self._problem: str | None = None
        self._thread: Final = threading.Thread(target=self._run, name="switchgear-outbox", daemon=True)

    @property
    def counts(self) -> ExportCounts:
        """What became of everything so far."""
        return msgspec.structs.replace(self._counts, dropped=self._dropped, problem=self._problem)

    def start(self) -> None:
        """Begin to hand events on."""
        self._thread.start()

    def adopt(self, setup: Setup) -> None:
        """Tell the exporting process of other services."""
        self._setup = setup

    def listen(self, event: Event) -> None:
        """Take *event*, if spans are made of its kind."""
        if isinstance(event, _WANTED):
            if len(self._waiting) >= self._most:
                self._dropped += 1
            elif isinstance(event, CallSettled) and event.outcome is not None and event.outcome.content is not None:
                self._put_with(event, event.outcome.content)
            else:
                self._waiting.append(event)

    def _put_with(self, event: CallSettled, content: Content) -> None:
        """Take *event*, with its content if that much can wait."""
        size = len(content.asked) + len(content.answered)
        if self._content + size > _MOST_CONTENT:
            outcome = None if event.outcome is None else msgspec.structs.replace(event.outcome, content=None)
            event = msgspec.structs.replace(event, outcome=outcome)
            size = 0
        self._content += size
        self._waiting.append(event)

    def close(self) -> None:
        """Hand on what waits, and let the other process end; the second time does nothing."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(_PAUSE):
            self._hand_on()
        self._hand_on()
        self._end()

    def _hand_on(self) -> None:
        process = self._alive()
        if process is None or process.stdin is None:
            return
        try:
            if self._told is not self._setup:
                self._told = self._setup
                _write(process.stdin, self._setup)
            while True:
                batch = tuple(self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH)))
                self._content = 0 if not self._waiting else self._content
                _write(process.stdin, Moments(at=self._clock.moment().wall, events=batch))
                if len(batch) < _BATCH:
                    return
        except OSError as error:
            self._say(f"the exporting process has gone ({type(error).__name__})")

    def _alive(self) -> subprocess.Popen[bytes] | None:
        """Return the process, started if there is none."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        now = self._clock.moment().mono
        if now < self._not_before:
            return None
        if self._process is not None:
            self._say(f"the exporting process ended with {self._process.returncode} and is started again")
            _close(self._process)
        try:
            process = self._start()
        except OSError as error:
            self._say(f"the exporting process can't be started: {error.strerror}")
            return None
        self._process, self._told = process, None
        self._not_before = now + min(_LONGEST_PAUSE, (2**self._failures - 1) * MICROS)
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        self._reader = threading.Thread(target=self._read, args=(process,), name="switchgear-counts", daemon=True)
        self._reader.start()
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is not None:
            with process.stdout as answers:
                for line in answers:
                    self._counts = msgspec.json.decode(line, type=ExportCounts)
                    self._failures = 0
                    self._say(None)

    def _say(self, problem: str | None) -> None:
        if problem is not None and problem != self._problem:
            _log.warning("telemetry: %s", problem)
        self._problem = problem

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        _close(process)
        try:
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()


def _close(process: subprocess.Popen[bytes]) -> None:
    """Let *process* know that nothing more comes."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what was left to write can't be
            process.stdin.close()


def _write(pipe: IO[bytes], frame: Frame) -> None:
    pipe.write(framed(frame))
    pipe.flush()
