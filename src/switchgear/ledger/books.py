"""One transaction of the writer: attempts, their roll-ups, job totals and events, all or nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from switchgear.calls import NO_USAGE
from switchgear.errors import LedgerError
from switchgear.events import BreakerChanged, BudgetChanged, BudgetCrossed, ShadowExceeded
from switchgear.ledger import sql
from switchgear.ledger.afoot import Known
from switchgear.ledger.encoding import event_row, json_text, refused_row, reserved_row, settled_row
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled, Entry, OrphanSweep
from switchgear.ledger.tally import Place, Tally

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from switchgear.ledger.afoot import Afoot
    from switchgear.ledger.encoding import Values

__all__ = ["Books", "Known", "Page", "Record", "enter", "page_of", "tally_settled", "transaction", "write_tally"]

Record = (
    AttemptReserved
    | AttemptSettled
    | AttemptRefused
    | BreakerChanged
    | BudgetChanged
    | BudgetCrossed
    | Entry
    | OrphanSweep
    | ShadowExceeded
)
"""What can be written."""


class Books(Protocol):
    """The writer's side of a ledger, for one thread at a time."""

    @property
    def name(self) -> str:
        """What people call the ledger."""

    @property
    def shared(self) -> bool:
        """Other processes may write to the same ledger."""

    def enter(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        """Write *records* in one transaction; settling what is settled already changes nothing.

        Returns:
            by index, why a record could not be written without spoiling the others.

        Raises:
            Exception: nothing was written; *is_fault* tells whether a record or the storage is to blame.
        """

    def settle_orphans(self, *, now_us: int) -> int:
        """Settle at its worst case what processes that are gone left reserved; return how many there were."""

    def is_fault(self, error: BaseException) -> bool:
        """Return whether *error* is about the storage rather than about what was written."""

    def is_damage(self, error: BaseException) -> bool:
        """Return whether *error* says that what is stored is spoiled, which nothing but a backup repairs."""

    def hurry(self, *, on: bool) -> None:
        """Wait for locks of others only briefly, or as long as usual: during an outage somebody waits each time."""

    def explain(self, error: BaseException) -> LedgerError:
        """Return *error* as one sentence about this ledger."""

    def close(self) -> None:
        """Let go of the storage."""


class Page(NamedTuple):
    """Records as rows, by the table they go to, and what the refused among them add to the sums.

    Attributes:
        opened: rows of ``sql.OPENED``.
        settled: settlements, each with its index among the records.
        events: rows of ``sql.EVENT``.
        tally: sums so far.
    """

    opened: list[Values]
    settled: list[tuple[int, AttemptSettled]]
    events: list[Values]
    tally: Tally


_known_list: Final = msgspec.json.Decoder(list[Known])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    """Yield a cursor inside a transaction that commits at the end, or rolls back."""
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    try:
        yield cursor
        cursor.execute("COMMIT")
    except BaseException:
        # Of a full disk or a bad row SQLite has rolled back already.
        if connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise
    finally:
        cursor.close()


def enter(
    connection: sqlite3.Connection, records: Sequence[Record], afoot: Afoot | None = None
) -> dict[int, LedgerError]:
    """Write *records* in one transaction; settling what is settled already changes nothing.

    *afoot* is what *connection* knows of attempts, if it is always asked with the same.

    Returns:
        by index, why a record could not be written without spoiling the others.

    Raises:
        sqlite3.Error: nothing was written; the same holds for any error of a record that can't
            be encoded.
    """
    opened, settled, events, tally = page_of(records)
    problems: dict[int, LedgerError] = {}
    last = 0
    with transaction(connection) as cursor:
        if afoot is not None:
            afoot.look(cursor)
        if opened:
            sql.send(cursor, sql.insert_attempts, opened)
            last = cursor.lastrowid or 0
        if settled:
            problems = _settle(cursor, settled, tally, afoot)
        write_tally(cursor, tally)
        sql.send(cursor, sql.insert_events, events)
    if afoot is not None and opened:
        afoot.add(records, last, len(opened))
        for _, record in settled:  # reserved and settled in one
            afoot.take(record.call_id, record.attempt)
    return problems


def page_of(records: Sequence[Record]) -> Page:
    """Return *records* as rows; any error of a record that can't be encoded is raised."""
    page = Page([], [], [], Tally())
    opened, settled, events, tally = page
    for index, record in enumerate(records):
        if isinstance(record, AttemptReserved):
            opened.append(reserved_row(record))
        elif isinstance(record, AttemptSettled):
            settled.append((index, record))
        elif isinstance(record, AttemptRefused):
            opened.append(refused_row(record))
            _tally_refused(record, tally)
        elif not isinstance(record, OrphanSweep):
            events.append(event_row(record))
    return page


def write_tally(cursor: sqlite3.Cursor, tally: Tally) -> None:
    """Add *tally* to roll-ups and job totals, and note which hours have changed."""
    sql.send(cursor, sql.upsert_rollups, tally.rollups())
    sql.send(cursor, sql.upsert_changes, tally.changes())
    sql.send(cursor, sql.upsert_job_totals, tally.jobs())


def _settle(
    cursor: sqlite3.Cursor, settled: Sequence[tuple[int, AttemptSettled]], tally: Tally, afoot: Afoot | None
) -> dict[int, LedgerError]:
    known: dict[tuple[str, int], Known] = {}
    wanted: list[str] = []
    for _, record in settled:
        row = None if afoot is None else afoot.take(record.call_id, record.attempt)
        if row is None:
            wanted.append(record.call_id)
        else:
            known[record.call_id, record.attempt] = row
    if wanted:
        found = _known_list.decode(cursor.execute(sql.FIND, (json_text(wanted),)).fetchone()[0])
        known.update({(row.call_id, row.attempt): row for row in found})
    problems: dict[int, LedgerError] = {}
    news: dict[int, Values] = {}
    for index, record in settled:
        row = known.get((record.call_id, record.attempt))
        if row is None:
            msg = f"attempt {record.attempt} of call {record.call_id} is not in the ledger, so it can't be settled"
            problems[index] = LedgerError(msg)
        elif row.status == "reserved" and row.seq not in news:
            model = record.model or row.model
            news[row.seq] = settled_row(record, seq=row.seq, model=model)
            tally_settled(record, row, model, tally)
    sql.send(cursor, sql.settle_attempts, list(news.values()))
    return problems


def tally_settled(record: AttemptSettled, row: Known, model: str | None, tally: Tally) -> None:
    """Count *record*, which settles the attempt *row*, in *tally*."""
    tally.add(
        Place(row.started_at, row.service, model, row.layer, row.key, row.job),
        record.status,
        usage=record.usage,
        cost=record.cost,
        estimated=record.estimated,
        duration_us=record.duration_us,
        waited_us=row.waited_us,
    )


def _tally_refused(record: AttemptRefused, tally: Tally) -> None:
    call, on_behalf = record.call, record.call.attribution
    tally.add(
        Place(record.at, call.service, call.model, on_behalf.layer, on_behalf.key, on_behalf.job),
        "refused",
        usage=NO_USAGE,
        cost=0,
        estimated=False,
        duration_us=0,
        waited_us=0,
    )
