"""How a caller waits for what it has submitted: a thread blocks, a task awaits."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Final

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchgear.ledger.books import Record

__all__ = ["Batch", "Commit"]


class Batch:
    """Records that are committed together, and everybody who waits for them."""

    __slots__ = ("_lock", "_over", "_tasks", "_urge", "loop", "problems", "queued", "records")

    def __init__(self, urge: Callable[[Batch], None]) -> None:
        self._urge: Final = urge
        self.loop: asyncio.AbstractEventLoop | None = None  # who has promised to look after it
        self.records: list[Record] = []
        self.problems: Mapping[int, LedgerError] = {}
        self.queued = False  # it takes no more records
        self._lock: Final = threading.Lock()
        self._over: Final = threading.Event()
        self._tasks: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}

    def add(self, record: Record) -> Commit:
        """Append *record*; the writer's lock is held."""
        self.records.append(record)
        return Commit(self, len(self.records) - 1)

    def finish(self, problems: Mapping[int, LedgerError]) -> None:
        """Tell everybody that it is over; *problems* says by index what is not durable, and why."""
        self.problems = problems
        # Commits may be kept for long; the records need not be.
        self.records = []
        with self._lock:
            self._over.set()
            tasks, self._tasks = self._tasks, {}
        here = asyncio._get_running_loop()  # noqa: SLF001 - documented, and needs no exception where there is none
        for loop, told in tasks.items():
            if loop is here:
                _tell(told)
                continue
            # The loop may be gone, and with it all who waited there.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, told)

    def wait(self, timeout: float | None) -> bool:
        """Block until it is over; False if *timeout* seconds went by before."""
        if self._over.is_set():  # of many who wait for one batch all but the first; costs no lock
            return True
        if not self.queued:
            self._urge(self)  # whoever blocks may be the loop that was to look after it
        return self._over.wait(timeout)

    async def over(self) -> None:
        """Wait until it is over, without blocking the loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if self.tell(loop, functools.partial(_wake, future)):
            await future

    def tell(self, loop: asyncio.AbstractEventLoop, told: Callable[[], None]) -> bool:
        """Have *told* called on *loop* when it is over; False: it is over."""
        with self._lock:
            if self._over.is_set():
                return False
            known = self._tasks.get(loop)
            if known is None:
                self._tasks[loop] = [told]
            else:
                known.append(told)
            return True


class Commit:
    """The promise of one submitted record: durable, or an error. It may be waited for many times.

    While nothing can be written, what the writer keeps in memory counts as done; see *Writer*.

    Nobody has to wait, and who stops waiting (a time-out, a cancelled task) withdraws nothing.
    """

    __slots__ = ("_batch", "_index")

    def __init__(self, batch: Batch, index: int) -> None:
        self._batch: Final = batch
        self._index: Final = index

    def wait(self, timeout: float | None = None) -> None:
        """Block until the record is durable.

        Raises:
            LedgerError: it could not be written.
            TimeoutError: *timeout* seconds went by; it may still be written.
        """
        if not self._batch.wait(timeout):
            msg = f"the ledger has not committed within {timeout} s"
            raise TimeoutError(msg)
        self._check()

    async def done(self) -> None:
        """Wait until the record is durable, without blocking the loop.

        Raises:
            LedgerError: it could not be written.
        """
        await self._batch.over()
        self._check()

    def then(self, told: Callable[[], None]) -> None:
        """Call *told* on the running loop, once, as soon as *problem* tells what has come of the record.

        It must not raise: others are told after it.
        """
        if not self._batch.tell(asyncio.get_running_loop(), told):
            told()

    @property
    def problem(self) -> LedgerError | None:
        """Why the record is not durable, once that is over."""
        return self._batch.problems.get(self._index)

    def _check(self) -> None:
        error = self.problem
        if error is not None:
            # Many may wait for one batch, so each raises an error of its own.
            raise LedgerError(*error.args) from error


def _tell(told: list[Callable[[], None]]) -> None:
    for one in told:
        one()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
