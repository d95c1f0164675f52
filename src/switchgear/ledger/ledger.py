"""The ledger as the rest of the house sees it. SQLAlchemy is imported when one is opened."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, Literal, Self

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Engine

    from switchgear.clock import Clock, Moment
    from switchgear.events import BreakerChanged, BudgetChanged, BudgetCrossed, ShadowExceeded
    from switchgear.ledger.books import Record
    from switchgear.ledger.commit import Commit
    from switchgear.ledger.counted import Counted, Spend
    from switchgear.ledger.engine import Durability
    from switchgear.ledger.keeper import OnError, Outage
    from switchgear.ledger.keys import KeyBook
    from switchgear.ledger.lead import Lead
    from switchgear.ledger.lock import LedgerLock
    from switchgear.ledger.reader import LedgerReader
    from switchgear.ledger.recovery import BreakerMemory, LimitMemory, RecentCalls
    from switchgear.ledger.retention import Pruned
    from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled, Entry
    from switchgear.ledger.writer import Writer

__all__ = ["Ledger"]

_SWEEP_US: Final = 2_000_000


class Ledger:
    """The durable record of attempts, events and roll-ups. Made by *open*; close it, or use ``with``.

    Attributes:
        reader: everything that can be asked.
        orphans: attempts of a dead process that were settled when this one opened the ledger.
    """

    def __init__(
        self, engine: Engine, *, reader: LedgerReader, writer: Writer | None, lock: LedgerLock | None, orphans: int
    ) -> None:
        self._engine: Final = engine
        self._writer: Final = writer
        self._lock: Final = lock
        self.reader: Final = reader
        self.orphans: Final = orphans
        self._next_sweep = 0

    @classmethod
    def open(
        cls,
        url: str,
        *,
        clock: Clock,
        durability: Durability = "process",
        on_error: OnError = "refuse",
        writable: bool = True,
    ) -> Ledger:
        """Open the ledger at *url*, e.g. ``sqlite:///switchgear.db``; ``sqlite://`` is one in memory.

        ``postgresql+psycopg://USER@HOST/DATABASE`` is one that many processes may write to at once. A
        missing one is made. What a dead process left reserved is settled as orphaned, at its worst case.

        Args:
            url: where it is kept.
            clock: tells when orphans were found.
            durability: what a commit survives: ``process`` (kill -9) or ``power`` as well.
            on_error: what happens to calls while it can't be written: ``refuse`` lets none go,
                ``allow`` keeps them in memory until it can; see *Writer*.
            writable: False reads an existing ledger and changes nothing, also while another
                process writes to it.

        Raises:
            LedgerError: in one sentence, why not: no such folder, another writer, another
                version of the schema, not a database, ...
            ConfigError: the package for this kind of database is not installed.
        """
        from switchgear.ledger.atonce import at_once_of
        from switchgear.ledger.engine import on_damage, translated
        from switchgear.ledger.home import books_of, home_of
        from switchgear.ledger.migrate import check
        from switchgear.ledger.reader import LedgerReader
        from switchgear.ledger.writer import Writer

        home = home_of(url)
        orphans, writer = 0, None
        with ExitStack() as undo:
            lock = home.lock() if writable else None
            if lock is not None:
                undo.callback(lock.release)
            engine = home.open(durability=durability, read_only=not writable)
            undo.callback(engine.dispose)
            with translated(engine):
                check(engine, create=writable)
                if writable:
                    books = books_of(engine)
                    undo.callback(books.close)
                    orphans = books.settle_orphans(now_us=clock.moment().wall)
                    at_once = at_once_of(engine, durability=durability)
                    writer = Writer(books, at_once=at_once, clock=clock, on_error=on_error)
                    on_damage(engine, writer.damaged)
            undo.pop_all()
        return cls(engine, reader=LedgerReader(engine), writer=writer, lock=lock, orphans=orphans)

    def reserve(self, row: AttemptReserved) -> Commit:
        """Record an attempt that is about to leave; it may leave when the commit is done.

        Raises:
            LedgerError: the ledger is closed, or open for reading only; so with all that writes.
        """
        return self._submit(row)

    def settle(self, row: AttemptSettled) -> Commit:
        """Record how an attempt ended; the second time changes nothing."""
        return self._submit(row)

    def refuse(self, row: AttemptRefused) -> Commit:
        """Record a call that the gate turned away."""
        return self._submit(row)

    def record(self, event: BreakerChanged | BudgetChanged | BudgetCrossed | ShadowExceeded | Entry) -> Commit:
        """Record an event. What happens to calls is in their rows already."""
        return self._submit(event)

    def sweep(self, now: Moment) -> None:
        """Have attempts settled that another process left on the wire when it died; call it now and then.

        It waits for nothing, and does nothing where one process at a time writes, or every two seconds only.
        """
        writer = self._writer
        if writer is None or not writer.shared or now.mono < self._next_sweep:
            return
        self._next_sweep = now.mono + _SWEEP_US
        from switchgear.ledger.rows import OrphanSweep

        with suppress(LedgerError):  # closed meanwhile
            writer.submit(OrphanSweep(at=now.wall))

    def recent_calls(
        self, *, since_us: int, cell_us: int, until_us: int | None = None, by: Literal["service", "key"] = "service"
    ) -> tuple[RecentCalls, ...]:
        """Return what each service was asked since *since_us*; see ``recovery.recent_calls``."""
        from switchgear.ledger.recovery import recent_calls

        return recent_calls(self._engine, since_us=since_us, cell_us=cell_us, until_us=until_us, by=by)

    def spend(self, counted: Counted, *, now_us: int) -> dict[str | None, Spend]:
        """Return what *counted* has spent in its period at *now_us*, by value; see ``balances.spend``."""
        from switchgear.ledger.balances import spend

        return spend(self._engine, counted, now_us=now_us)

    def carry_forward(
        self,
        every: Iterable[Counted],
        *,
        now_us: int,
        step: int | None = None,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """Note what *every* of these has spent, so that the next start need not add it up again.

        See ``balances.carry_forward``; *step*: attempts in one transaction. A ledger that is open for
        reading only is left alone.

        Raises:
            LedgerError: the ledger can't be written.
        """
        if self._writer is not None:
            from switchgear.ledger.balances import STEP, carry_forward

            carry_forward(self._engine, every, now_us=now_us, step=step or STEP, rest=rest)

    def prune(
        self, *, before_us: int, budgets: Iterable[Counted], clock: Clock, progress: Callable[[int], None]
    ) -> Pruned:
        """Delete the attempts that began before *before_us*, so slowly that nobody waits; see ``retention.prune``.

        Raises:
            LedgerError: it can't be written.
        """
        from switchgear.ledger.retention import QUIET, prune

        by = "retention_days"
        return prune(
            self._engine, before_us=before_us, budgets=budgets, clock=clock, by=by, pace=QUIET, progress=progress
        )

    def breakers(self) -> tuple[BreakerMemory, ...]:
        """Return the last recorded change of each breaker."""
        from switchgear.ledger.recovery import breakers

        return breakers(self._engine)

    def budget_limits(self) -> tuple[LimitMemory, ...]:
        """Return the last recorded change of each budget's limit."""
        from switchgear.ledger.recovery import budget_limits

        return budget_limits(self._engine)

    def lead(self, what: str) -> Lead | None:
        """Return what tells whether this process does *what* for all that write here; None: it writes alone."""
        from switchgear.ledger.engine import POSTGRES

        if self._engine.dialect.name != POSTGRES:
            return None
        from switchgear.ledger.lead import Lead

        return Lead(self._engine, what)

    @property
    def keys(self) -> KeyBook:
        """Return the Switchgear keys that are kept beside the record."""
        from switchgear.ledger.keys import KeyBook

        return KeyBook(self._engine)

    @property
    def healthy(self) -> bool:
        """What is submitted now will probably be durable: see *last_error* for why not."""
        return self._writer is not None and self._writer.healthy

    @property
    def outage(self) -> Outage | None:
        """The time in which nothing can be written, while it lasts."""
        return None if self._writer is None else self._writer.outage

    @property
    def problem(self) -> str | None:
        """Why no call may go, as a phrase; None: calls may go."""
        outage = self.outage
        if outage is None:
            return None if self.healthy else "it is closed"
        return outage.sentence if outage.on_error == "refuse" else None

    @property
    def warning(self) -> str | None:
        """What is not recorded although calls go, as a phrase; None: all is."""
        outage = self.outage
        return outage.sentence if outage is not None and outage.on_error == "allow" else None

    def close(self) -> None:
        """Commit all that was submitted, and let go of the file; the second time does nothing."""
        if self._writer is not None:
            self._writer.close()
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, record: Record) -> Commit:
        if self._writer is None:
            msg = "this ledger is open for reading only"
            raise LedgerError(msg)
        return self._writer.submit(record)
