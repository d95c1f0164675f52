"""The one thread that writes, and commits whatever has queued up as one transaction."""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from switchgear.errors import LedgerError
from switchgear.ledger.commit import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.ledger.books import Books, Record
    from switchgear.ledger.commit import Commit

__all__ = ["Writer"]

_log = logging.getLogger("switchgear.ledger")


class Writer:
    """Takes records from any thread or task and commits them in order.

    There is no delay: an idle writer commits a lone record at once, and what arrives meanwhile
    goes together into the next transaction. A bad record fails alone. A full or read-only disk
    fails everybody who waits; the writer lives on and tries each new record again. The *books* are its own
    from now on.
    """

    def __init__(self, books: Books) -> None:
        self._books: Final = books
        self._lock: Final = threading.Lock()
        self._batches: Final[SimpleQueue[Batch | None]] = SimpleQueue()
        self._open = Batch()
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
            if len(batch.records) == 1:
                self._batches.put(batch)
        return commit

    def close(self) -> None:
        """Commit all that was submitted and stop; the second time does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._batches.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (batch := self._batches.get()) is not None:
                with self._lock:
                    self._open = Batch()
                self._commit(batch)
        finally:
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
