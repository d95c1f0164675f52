"""The writer's side of a ledger on PostgreSQL: one of many processes that write at once."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from psycopg import Error
from psycopg.errors import DeadlockDetected, SerializationFailure

from switchgear.calls import Usage
from switchgear.errors import LedgerError
from switchgear.ledger import postgres_sql as sql
from switchgear.ledger.books import Known, Page, page_of, tally_settled
from switchgear.ledger.encoding import settled_row
from switchgear.ledger.postgres import own_connection
from switchgear.ledger.postgres_faults import concerns_storage, explain, shown
from switchgear.ledger.postgres_seat import take_seat
from switchgear.ledger.rows import AttemptSettled, OrphanSweep
from switchgear.ledger.schema import SUMS, job_totals, rollups
from switchgear.ledger.sql import EVENT, OPENED, SETTLED
from switchgear.ledger.tally import Place, Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from psycopg import Connection
    from sqlalchemy import Engine, Table

    from switchgear.ledger.books import Record

__all__ = ["PostgresBooks"]

_LONGEST: Final = "SET statement_timeout = '15s'"
_IN_THE_WAY: Final = (DeadlockDetected, SerializationFailure)
_NUL: Final = b"\\u0000"
_encode: Final = msgspec.json.Encoder().encode
_Row = tuple[Any, ...]


class PostgresBooks:
    """One connection, which holds this process's seat; after a loss the next batch takes both again.

    Raises:
        LedgerError: somebody works on the ledger alone.
    """

    shared: Final = True

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._owner: Final = secrets.randbits(62) + 1
        self._suspects: frozenset[int] = frozenset()
        self._connection = self._connected()

    @property
    def name(self) -> str:
        return shown(self._engine.url)

    def enter(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        for record in records:
            if isinstance(record, OrphanSweep):
                self._sweep(record.at)
        try:
            return self._write(page_of(records))
        except _IN_THE_WAY:
            # Of two that are in each other's way the server has let the other one go on.
            return self._write(page_of(records))

    def settle_orphans(self, *, now_us: int) -> int:
        return self._settle_orphans(now_us, among=None)

    def is_fault(self, error: BaseException) -> bool:
        return concerns_storage(error)

    def is_damage(self, error: BaseException) -> bool:  # noqa: ARG002 - of the protocol
        # Its pages are the server's own business: an error that tells of them may end by itself.
        return False

    def hurry(self, *, on: bool) -> None:
        """Nothing to do: other writers are waited for no longer than a statement may take."""

    def explain(self, error: BaseException) -> LedgerError:
        return explain(error, url=self._engine.url)

    def close(self) -> None:
        self._connection.close()

    def _connected(self) -> Connection[_Row]:
        connection = own_connection(self._engine)
        try:
            connection.prepare_threshold = 0
            connection.execute(_LONGEST)
            take_seat(connection, self._owner, name=shown(self._engine.url))
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection[_Row]]:
        """Yield a connection inside a transaction whose statements travel together."""
        if self._connection.closed:
            self._connection = self._connected()
        connection = self._connection
        try:
            with connection.pipeline() as pipeline:
                connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                try:
                    yield connection
                except BaseException:
                    # What follows the first error is only told of, and has been told by it.
                    with suppress(Error):
                        pipeline.sync()
                    raise
                connection.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise

    def _write(self, page: Page) -> dict[int, LedgerError]:
        opened, settled, events, tally = page
        problems: dict[int, LedgerError] = {}
        if not (opened or settled or events):
            return problems
        with self._transaction() as connection:
            if opened:
                connection.execute(sql.INSERT_ATTEMPTS, (self._owner, _json(OPENED, opened)))
            if events:
                connection.execute(sql.INSERT_EVENTS, (_json(EVENT, events),))
            if settled:
                problems = _settle(connection, settled, tally)
            _write_tally(connection, tally)
        return problems

    def _sweep(self, now_us: int) -> None:
        """Look for orphans; a connection that was lost meanwhile is taken again on the way, before a call needs it."""
        with suppress(*_IN_THE_WAY):
            try:
                self._look_for_orphans(now_us)
            except Error:
                if not self._connection.closed:
                    raise
                self._look_for_orphans(now_us)

    def _look_for_orphans(self, now_us: int) -> None:
        """Settle what owners have on the wire that were dead at the last sweep already.

        Once is not enough: after a restart of the server every process takes its seat again, one after the other.
        """
        dead = self._suspects
        self._suspects = self._dead()
        if dead & self._suspects:
            self._settle_orphans(now_us, among=dead)

    def _dead(self) -> frozenset[int]:
        """Return the owners of attempts on the wire whose process is gone."""
        with self._transaction() as connection:
            return frozenset(_lock_dead(connection, self._owner))

    def _settle_orphans(self, now_us: int, *, among: frozenset[int] | None) -> int:
        with self._transaction() as connection:
            # While their locks are ours no other process settles them, and they can't come back.
            dead = [owner for owner in _lock_dead(connection, self._owner) if among is None or owner in among]
            found = connection.execute(sql.ORPHAN, (dead,)).fetchall()
            if found:
                tally = Tally()
                for row in found:
                    _tally_orphan(row, tally)
                what = _encode({"attempts": len(found), "cost": sum(row[11] or 0 for row in found)}).decode()
                event = (now_us, "orphans_settled", "ledger", what)
                connection.execute(sql.INSERT_EVENTS, (_json(EVENT, [event]),))
                _write_tally(connection, tally)
        return len(found)


def _lock_dead(connection: Connection[_Row], owner: int) -> list[int]:
    """Return the owners, but for *owner*, whose process is gone; their locks are ours until the transaction ends."""
    owners = [row[0] for row in connection.execute(sql.OWNERS, (owner,)).fetchall()]
    asked = [connection.execute("SELECT pg_try_advisory_xact_lock(%s::bigint)", (one,)) for one in owners]
    return [one for one, answer in zip(owners, asked, strict=True) if answer.fetchone() == (True,)]


def _settle(
    connection: Connection[_Row], settled: Sequence[tuple[int, AttemptSettled]], tally: Tally
) -> dict[int, LedgerError]:
    wanted: dict[tuple[str, int], AttemptSettled] = {}
    for _, record in settled:
        wanted.setdefault((record.call_id, record.attempt), record)
    # In the same order in every process, so that no two wait for each other.
    news = [(*name, *settled_row(wanted[name], seq=0, model=wanted[name].model)[1:]) for name in sorted(wanted)]
    found = connection.execute(sql.SETTLE, (_json((*sql.CALL, *SETTLED), news),)).fetchall()
    for row in found:
        known = Known(*row)
        tally_settled(wanted[known.call_id, known.attempt], known, known.model, tally)
    missing = wanted.keys() - {(row[0], row[1]) for row in found}
    if not missing:
        return {}
    there = set(connection.execute(sql.FIND, (_json(sql.CALL, missing),)).fetchall())
    problems: dict[int, LedgerError] = {}
    for index, record in settled:
        if (record.call_id, record.attempt) in missing - there:
            msg = f"attempt {record.attempt} of call {record.call_id} is not in the ledger, so it can't be settled"
            problems[index] = LedgerError(msg)
    return problems


def _write_tally(connection: Connection[_Row], tally: Tally) -> None:
    """Add *tally* to roll-ups and job totals, in an order that is the same in every process."""
    for statement, table, sums in (
        (sql.UPSERT_ROLLUPS, rollups, tally.rollups()),
        (sql.UPSERT_JOB_TOTALS, job_totals, tally.jobs()),
    ):
        if sums:
            connection.execute(statement, (_json(_columns(table), sorted(sums)),))


def _columns(table: Table) -> tuple[str, ...]:
    return (*(column.name for column in table.primary_key), *SUMS)


def _tally_orphan(row: _Row, tally: Tally) -> None:
    tally.add(
        Place(*row[:6]),
        "orphaned",
        usage=Usage(
            input_tokens=row[6],
            output_tokens=row[7],
            cache_read_tokens=row[8],
            cache_write_tokens=row[9],
            reasoning_tokens=row[10],
        ),
        cost=row[11],
        estimated=True,
        duration_us=0,
        waited_us=row[12],
    )


def _json(columns: Sequence[str], rows: Collection[Sequence[object]]) -> str:
    """Return *rows* as a JSON array of objects; NUL, which PostgreSQL has no place for, as U+FFFD."""
    encoded = _encode([dict(zip(columns, row, strict=True)) for row in rows])
    if _NUL in encoded:
        clean = [[_without_nul(value) if isinstance(value, str) else value for value in row] for row in rows]
        encoded = _encode([dict(zip(columns, row, strict=True)) for row in clean])
    return encoded.decode()


def _without_nul(value: str) -> str:
    # The second is how it stands in JSON, which JSONB does not take either.
    return value.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd")
