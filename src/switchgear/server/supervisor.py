"""One parent for several serving processes on one socket: it starts them, starts them again, and ends them."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from switchgear import errors
from switchgear.errors import SwitchgearError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from switchgear.clock import Clock

__all__ = ["Place", "Supervisor"]

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
_WELL: Final = 30.0
"""Seconds after which a process counts as one that works: the pause before the next one is the first again."""
_KILL: Final = 15.0
"""Seconds beyond the time-out of its calls after which a process that does not end is killed."""
_READY: Final = "ready"
_LONGEST_WORD: Final = 4096
"""So much goes into a pipe at once, whoever else writes."""
_INTERRUPTED: Final = 130
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_log = logging.getLogger("switchgear.server")


class Place(NamedTuple):
    """What a process is told that the parent has started.

    Attributes:
        number: which one it is, from 1 on.
        ready: to be called once it answers.
        parent: a file descriptor that ends when the parent does.
    """

    number: int
    ready: Callable[[], None]
    parent: int


class _Worker(msgspec.Struct, kw_only=True):
    """One of the processes. *pid* 0: it is to be started at *due*."""

    number: int
    pid: int = 0
    said: int = -1
    ready: bool = False
    since: float = 0.0
    due: float = 0.0
    pause: float = _FIRST_PAUSE
    reloads: int = 0


class Supervisor:
    """Runs *count* processes until a signal ends them all.

    The parent opens nothing that a process uses: each is a fork of a parent without threads. A
    process that dies is started again, the sooner the longer it has lived.

    Args:
        count: how many.
        work: what each does, in the process; returns its exit code.
        reload: called in the parent on SIGHUP, before the processes are told.
        patience: returns the seconds that calls in flight get to end in.
        clock: time.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Place], int],
        *,
        reload: Callable[[], None],
        patience: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._work: Final = work
        self._reload: Final = reload
        self._patience: Final = patience
        self._clock: Final = clock
        self._workers: Final = [_Worker(number=number) for number in range(1, count + 1)]
        self._ended_by: int | None = None
        self._reloads = 0
        self._up = False
        self._over = False
        self._failed = False
        self._bell, self._ring = os.pipe()
        self._life, self._own = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ring, False)

    def run(self, announce: Callable[[], None]) -> int:
        """Start all, *announce* when all answer; return the exit code: 0, 130 after SIGINT, 1 if one did not end well.

        Raises:
            SwitchgearError: the first one, or another one at the start, could not begin; none is left.
        """
        with self._listening():
            try:
                for worker in self._workers:
                    self._start(worker)
                    while not worker.ready and self._ended_by is None:
                        self._turn()
                        if not worker.pid:
                            msg = f"process {worker.number} ended before it answered"
                            raise RuntimeError(msg)
                self._up = True
                if self._ended_by is None:
                    announce()
                while self._ended_by is None:
                    self._turn()
            finally:
                self._end()
        if self._failed:
            return 1
        return _INTERRUPTED if self._ended_by == signal.SIGINT else 0

    def _start(self, worker: _Worker) -> None:
        hears, says = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            self._be(worker.number, says)
        os.close(says)
        worker.pid, worker.said, worker.since = pid, hears, self._clock.monotonic()
        worker.ready, worker.due, worker.reloads = False, 0.0, self._reloads

    def _be(self, number: int, says: int) -> None:
        """Be the process; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for one in _SIGNALS:
                # An interrupt from the terminal is for the parent, which passes it on as SIGTERM.
                signal.signal(one, signal.SIG_IGN if one in {signal.SIGINT, signal.SIGHUP} else signal.SIG_DFL)
            os.close(self._own)
            code = self._work(Place(number, lambda: _say(says, _READY), self._life))
        except SwitchgearError as error:
            _say(says, f"{type(error).__name__} {error}")
        except Exception:  # noqa: BLE001 - the boundary of the process; it is logged
            _log.exception("process %d failed", number)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _turn(self, longest: float = 60.0) -> None:
        """Wait until something happens, and do what it asks for."""
        now = self._clock.monotonic()
        waits = [] if self._over else [one.due - now for one in self._workers if not one.pid and one.due]
        pipes = {worker.said: worker for worker in self._workers if worker.said >= 0}
        heard, _, _ = select.select([self._bell, *pipes], [], [], max(0.0, min([longest, *waits])))
        for pipe in heard:
            if pipe != self._bell:
                self._hear(pipes[pipe])
        if self._bell in heard:
            for number in os.read(self._bell, 64):
                self._signalled(number)
        self._reap()
        now = self._clock.monotonic()
        for worker in self._workers:
            if not worker.pid and worker.due and worker.due <= now and self._ended_by is None and not self._over:
                self._start(worker)

    def _hear(self, worker: _Worker) -> None:
        said = os.read(worker.said, 65_536).decode()
        if said == _READY:
            worker.ready = True
            if worker.reloads != self._reloads:  # it has begun with what was there before
                os.kill(worker.pid, signal.SIGHUP)
            return
        os.close(worker.said)
        worker.said = -1
        if not said:
            return
        name, _, text = said.partition(" ")
        if not self._up:
            raise getattr(errors, name, SwitchgearError)(text)
        _log.error("process %d can't begin: %s", worker.number, text)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._reloads += 1
            self._reload()
            self._tell(signal.SIGHUP)
        elif number in {signal.SIGTERM, signal.SIGINT}:
            self._ended_by = self._ended_by or number
            self._tell(signal.SIGTERM)

    def _tell(self, number: int) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid:
                pid, status = os.waitpid(worker.pid, os.WNOHANG)
                if pid:
                    self._gone(worker, os.waitstatus_to_exitcode(status))

    def _gone(self, worker: _Worker, code: int) -> None:
        """Take note that *worker* has ended, and when the next one takes its place."""
        if worker.said >= 0 and not worker.ready:
            self._hear(worker)  # why it could not begin
        if worker.said >= 0:
            os.close(worker.said)
        pid, ready = worker.pid, worker.ready
        worker.pid, worker.said, worker.ready = 0, -1, False
        if self._over:
            self._failed |= code != 0 and ready
            return
        now = self._clock.monotonic()
        if now - worker.since >= _WELL:
            worker.pause = _FIRST_PAUSE
        worker.due = now + worker.pause
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        _log.error("process %d (pid %d) %s; the next one begins in %g s", worker.number, pid, how, worker.pause)
        worker.pause = min(2 * worker.pause, _LONGEST_PAUSE)

    def _end(self) -> None:
        """Have all end, and wait for them; kill those that do not."""
        self._over = True
        self._tell(signal.SIGTERM)
        deadline = self._clock.monotonic() + self._patience() + _KILL
        while any(worker.pid for worker in self._workers):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                self._tell(signal.SIGKILL)
            self._turn(max(0.05, left))
        for pipe in (self._bell, self._ring, self._life, self._own):
            os.close(pipe)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear of signals through the bell; they interrupt nothing."""
        before = {number: signal.signal(number, _heard) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(self._ring)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)


def _heard(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the number is in the pipe by now."""


def _say(pipe: int, text: str) -> None:
    os.write(pipe, text.encode()[:_LONGEST_WORD])
