"""The one thread that writes, and commits whatever has queued up as one transaction."""

from __future__ import annotations

import asyncio
import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.errors import LedgerError
from switchgear.ledger.commit import Batch
from switchgear.ledger.keeper import Keeper
from switchgear.ledger.rows import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.clock import Clock
    from switchgear.ledger.atonce import AtOnce
    from switchgear.ledger.books import Books, Record
    from switchgear.ledger.commit import Commit
    from switchgear.ledger.keeper import OnError, Outage

__all__ = ["Writer"]

_FEW: Final = 64
"""Records that are committed at once; more are worth the change to another thread, and perhaps another core."""

_RETRY: Final = 0.5
"""Seconds between two tries while the ledger can't be written and nobody asks."""

_PORTION: Final = 500

_log = logging.getLogger("switchgear.ledger")


class _Checkpoint:
    """What the thread is told to do between two batches, so that no loop waits for the disk."""


_CHECKPOINT: Final = _Checkpoint()


class _Put(NamedTuple):
    """What came of writing: of the first *done* records the *problems*, by index; *fault*: why the others are not."""

    problems: dict[int, LedgerError]
    done: int
    fault: Exception | None = None


class Writer:
    """Takes records from any thread or task and commits them in order.

    There is no delay: an idle writer commits a lone record at once, and what arrives meanwhile
    goes together into the next transaction. What the tasks of a loop submit in neighbouring turns of
    it is one transaction, which a small one commits there and then (*at_once*). A bad record fails alone.

    While the disk is full, the file read-only, locked or damaged, there is an *outage*: new
    reservations and changes of budgets fail (``refuse``) or are kept in memory (``allow``); all else
    is kept, and its commit is done. The writer tries again, with each new record and twice a second,
    until all that it has kept is written, and an event tells of it. A damaged file is not written again.

    Args:
        books: what writes to the ledger; they are the writer's own from now on.
        clock: tells when an outage was.
        at_once: commits on the loop that asks; None: everything is the thread's.
        on_error: what happens to calls during one.
    """

    def __init__(
        self, books: Books, *, clock: Clock, at_once: AtOnce | None = None, on_error: OnError = "refuse"
    ) -> None:
        self._books: Final = books
        self._clock: Final = clock
        self._at_once: Final = at_once
        self._waiting = 0  # for the thread, or under way there
        self._busy = False  # a loop commits at once
        self._keeper: Final = Keeper(on_error)
        self._damage: LedgerError | None = None
        self._lock: Final = threading.Lock()
        self._batches: Final[SimpleQueue[Batch | _Checkpoint | None]] = SimpleQueue()
        self._open = Batch(self._urge)
        self._closed = False
        self._thread: Final = threading.Thread(target=self._run, name="switchgear-ledger", daemon=True)
        self._thread.start()

    @property
    def outage(self) -> Outage | None:
        """What there is to know of the time in which nothing can be written; None: it can."""
        return self._keeper.outage

    @property
    def last_error(self) -> str | None:
        """Why nothing can be written; None when it can."""
        outage = self._keeper.outage
        return None if outage is None else outage.reason

    @property
    def healthy(self) -> bool:
        """The writer runs and its last transaction did not fail."""
        return not self._closed and self._keeper.outage is None and self._thread.is_alive()

    @property
    def shared(self) -> bool:
        """Other processes may write to the same ledger."""
        return self._books.shared

    def damaged(self, error: BaseException) -> None:
        """Take *error*, which a reader has met, for what it says: the file is damaged, and is not written again."""
        if self._damage is None:
            self._damage = self._books.explain(error)
            with self._lock:
                self._hand_over(Batch(self._urge))

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
            self._hand_over(batch)

    def _hand_over(self, work: Batch | _Checkpoint) -> None:
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
            waits = self._waiting or self._busy or self.outage is not None or self._damage is not None
            if at_once is None or waits or len(batch.records) > _FEW:
                self._queue(batch)
                return
            batch.queued = self._busy = True
            self._open = Batch(self._urge)
        problems = at_once.enter(batch.records)
        with self._lock:
            self._busy = False
            if problems is None:
                self._hand_over(batch)
                return
            if at_once.is_long:
                self._hand_over(_CHECKPOINT)
        batch.finish(problems)

    def _run(self) -> None:
        try:
            while True:
                try:
                    work = self._batches.get(timeout=None if self.outage is None else _RETRY)
                except Empty:
                    self._recover(())
                    continue
                if work is None:
                    break
                if isinstance(work, Batch):
                    with self._lock:
                        if self._open is work:
                            self._open = Batch(self._urge)
                    work.finish(self._commit(work.records))
                elif self._at_once is not None:
                    self._at_once.checkpoint()
                with self._lock:
                    self._waiting -= 1
            self._give_up()
        finally:
            if self._at_once is not None:
                self._at_once.close()
            self._books.close()

    def _commit(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        """Write *records*; return by index what is neither durable nor kept, and why."""
        if self._damage is not None:
            self._fault(self._damage)
        if self.outage is not None:
            return self._recover(records)
        put = self._put(records)
        if put.fault is None:
            return put.problems
        return put.problems | self._keeper.keep(records, self._fault(put.fault), first=put.done)

    def _recover(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        """Write what is kept, then *records* and what the outage was; keep what can't be written."""
        outage = self._keeper.outage
        if outage is None or outage.final:
            return self._keeper.keep(records, LedgerError(self.last_error))
        while portion := self._keeper.first(_PORTION):
            put = self._put(portion)
            self._keeper.drop(put.done)
            if put.fault is not None:
                return self._keeper.keep(records, self._fault(put.fault))
        put = self._put([*records, _entry(outage, self._clock.moment().wall)])
        if put.fault is not None:
            return put.problems | self._keeper.keep(records, self._fault(put.fault), first=put.done)
        self._books.hurry(on=False)
        self._keeper.end()
        _log.warning("the ledger can be written again: %s", self._books.name)
        return put.problems

    def _put(self, records: Sequence[Record]) -> _Put:
        """Write *records* together or, if one of them is bad, each alone, up to a fault of the storage."""
        try:
            return _Put(self._books.enter(records), len(records))
        except Exception as error:  # noqa: BLE001 - the edge of the thread: somebody waits, whatever it is
            if self._books.is_fault(error):
                return _Put({}, 0, error)
        problems: dict[int, LedgerError] = {}
        for index, record in enumerate(records):
            try:
                if problem := self._books.enter([record]).get(0):
                    problems[index] = problem
            except Exception as error:  # noqa: BLE001 - as above
                if self._books.is_fault(error):
                    return _Put(problems, index, error)
                problems[index] = self._books.explain(error)
                _log.error("%s could not be recorded: %s", type(record).__name__, problems[index])
        return _Put(problems, len(records))

    def _fault(self, error: Exception) -> LedgerError:
        explained = self._books.explain(error)
        final = error is self._damage or self._books.is_damage(error)
        if self._keeper.begin(str(explained), at=self._clock.moment().wall, final=final):
            _log.error("%s", explained)
            self._books.hurry(on=True)
        return explained

    def _give_up(self) -> None:
        """Try a last time, and say what is lost otherwise."""
        if self.outage is not None:
            self._recover(())
        if (outage := self.outage) is not None and outage.kept:
            _log.error("%d records could not be written and are lost: %s", outage.kept, outage.reason)


def _entry(outage: Outage, at: int) -> Entry:
    """Return what the audit trail says of *outage*, which ended at *at*; money is nano-USD there."""
    what = {
        "actor": "switchgear",
        "reason": outage.reason,
        "since": outage.since,
        "on_error": outage.on_error,
        "calls": outage.calls,
        "cost": outage.cost,
        "dropped": outage.dropped,
        "dropped_cost": outage.dropped_cost,
        "lost": outage.lost,
    }
    return Entry(kind="ledger_recovered", subject="ledger", at=at, what=what)
