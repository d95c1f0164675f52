"""The one thread that writes, and commits whatever has queued up as one transaction."""

from __future__ import annotations

import asyncio
import logging
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from switchgear.errors import LedgerError
from switchgear.ledger.commit import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.ledger.atonce import AtOnce
    from switchgear.ledger.books import Books, Record
    from switchgear.ledger.commit import Commit

__all__ = ["Writer"]

_FEW: Final = 64
"""Records that are committed at once; more are worth the change to another thread, and perhaps another core."""

_log = logging.getLogger("switchgear.ledger")


class _Checkpoint:
    """What the thread is told to do between two batches, so that no loop waits for the disk."""


_CHECKPOINT: Final = _Checkpoint()


class Writer:
    """Takes records from any thread or task and commits them in order.

    There is no delay: an idle writer commits a lone record at once, and what arrives meanwhile
    goes together into the next transaction. What the tasks of a loop submit in neighbouring turns of
    it is one transaction, which a small one commits there and then (*at_once*). A bad record fails
    alone. A full or read-only disk fails everybody who waits; the writer lives on and tries each new
    record again. The *books* are its own from now on.
    """

    def __init__(self, books: Books, *, at_once: AtOnce | None = None) -> None:
        self._books: Final = books
        self._at_once: Final = at_once
        self._waiting = 0  # for the thread, or under way there
        self._busy = False  # a loop commits at once
        self._lock: Final = threading.Lock()
        self._batches: Final[SimpleQueue[Batch | _Checkpoint | None]] = SimpleQueue()
        self._open = Batch(self._urge)
        self._closed = False
        self._last_error: str | None = None
        self._thread: Final = threading.Thread(target=self._run, name="switchgear-ledger", daemon=True)
        self._thread.start()

    @property
    def last_error(self) -> str | None:
        """Why the last transaction failed; None when it did not."""
        return self._last_error

    @property
    def healthy(self) -> bool:
        """The writer runs and its last transaction did not fail."""
        return not self._closed and self._last_error is None and self._thread.is_alive()

    @property
    def shared(self) -> bool:
        """Other processes may write to the same ledger."""
        return self._books.shared

    def submit(self, record: Record) -> Commit:
        """Queue *record* and return the promise that it will be durable.

        Raises:
            LedgerError: the writer is closed.
        """
        with self._lock:
            if self._closed:
                msg = "the ledger is closed"
                raise LedgerError(msg)
            batch = self._open
            commit = batch.add(record)
            loop = asyncio._get_running_loop()  # noqa: SLF001 - documented, and needs no exception where there is none
            if batch.loop is None and loop is not None and not batch.queued:
                batch.loop = loop
                loop.call_soon(self._look, loop, batch, 0)
            elif batch.loop is not loop or loop is None:
                self._queue(batch)
        return commit

    def close(self) -> None:
        """Commit all that was submitted and stop; the second time does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._open.records:
                    self._queue(self._open)
                self._batches.put(None)
        self._thread.join()

    def _urge(self, batch: Batch) -> None:
        with self._lock:
            self._queue(batch)

    def _queue(self, batch: Batch) -> None:
        """Let the thread commit *batch*, with all that is added until it does; the lock is held."""
        if not batch.queued:
            batch.queued = True
            self._put(batch)

    def _put(self, work: Batch | _Checkpoint) -> None:
        self._waiting += 1
        self._batches.put(work)

    def _look(self, loop: asyncio.AbstractEventLoop, batch: Batch, seen: int) -> None:
        """Commit *batch* once a turn of *loop* has added nothing to the *seen* records."""
        many = len(batch.records)
        if seen < many < _FEW and not batch.queued:
            loop.call_soon(self._look, loop, batch, many)
        else:
            self._commit_here(batch)

    def _commit_here(self, batch: Batch) -> None:
        """Commit *batch* on the loop that asks, if that is soon done; else let the thread do it."""
        at_once = self._at_once
        with self._lock:
            if batch.queued:
                return
            # What waits already goes first.
            if at_once is None or self._waiting or self._busy or len(batch.records) > _FEW:
                self._queue(batch)
                return
            batch.queued = self._busy = True
            self._open = Batch(self._urge)
        problems = at_once.enter(batch.records)
        with self._lock:
            self._busy = False
            if problems is None:
                self._put(batch)
                return
            if at_once.is_long:
                self._put(_CHECKPOINT)
        batch.finish(problems)

    def _run(self) -> None:
        try:
            while (work := self._batches.get()) is not None:
                if isinstance(work, Batch):
                    with self._lock:
                        if self._open is work:
                            self._open = Batch(self._urge)
                    self._commit(work)
                elif self._at_once is not None:
                    self._at_once.checkpoint()
                with self._lock:
                    self._waiting -= 1
        finally:
            if self._at_once is not None:
                self._at_once.close()
            self._books.close()

    def _commit(self, batch: Batch) -> None:
        try:
            problems = self._books.enter(batch.records)
            self._last_error = None
        except Exception as error:  # noqa: BLE001 - the edge of the thread: somebody waits, whatever it is
            problems = self._rescue(error, batch.records)
        batch.finish(problems)

    def _rescue(self, error: Exception, records: Sequence[Record]) -> dict[int, LedgerError]:
        """Write what can be written of a batch that failed with *error*; return why not for the rest."""
        if self._books.is_fault(error):
            return dict.fromkeys(range(len(records)), self._fault(error))
        problems: dict[int, LedgerError] = {}
        for index, record in enumerate(records):
            try:
                if problem := self._books.enter([record]).get(0):
                    problems[index] = problem
            except Exception as own:  # noqa: BLE001 - as above
                if self._books.is_fault(own):
                    return problems | dict.fromkeys(range(index, len(records)), self._fault(own))
                problems[index] = self._books.explain(own)
                _log.error("%s could not be recorded: %s", type(record).__name__, problems[index])
        self._last_error = None
        return problems

    def _fault(self, error: Exception) -> LedgerError:
        explained = self._books.explain(error)
        if self._last_error is None:
            _log.error("%s", explained)
        self._last_error = str(explained)
        return explained
