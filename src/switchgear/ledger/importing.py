"""Attempts from an exported file into the ledger: all of them or none, and each only once."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import bindparam, insert, select, update

from switchgear.calls import Usage
from switchgear.clock import MICROS
from switchgear.ledger.access import changing, note
from switchgear.ledger.import_files import ImportFileError, rows_of
from switchgear.ledger.retention import pruned_before
from switchgear.ledger.schema import SUMS, attempts, job_totals, rollups
from switchgear.ledger.tally import Place, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

    from switchgear.ledger.import_files import Row

__all__ = ["ImportFileError", "Imported", "import_attempts"]

_PAGE: Final = 500


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """How many attempts of the file are new in the ledger, and how many were there already."""

    added: int
    known: int


def import_attempts(
    engine: Engine, file: Path, *, now_us: int, by: str, progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Add the attempts in *file*, CSV, JSON lines or Parquet as *export* writes them, and count them in every sum.

    An attempt whose call and number are in the ledger already is left as it is. All is one transaction,
    so the ledger must be opened alone.

    Args:
        engine: the ledger.
        file: its name says what it is; see ``import_files.rows_of``.
        now_us: epoch microseconds, for the audit trail; so is *by*.
        by: who imports.
        progress: is told how many lines were read since it was told last.

    Raises:
        ImportFileError: nothing was imported, because of the line that it names.
        LedgerError: the ledger can't be written; nothing was imported.
    """
    added = known = 0
    tally = Tally()
    with rows_of(file) as rows, changing(engine) as connection:
        edge = pruned_before(connection)
        while page := list(islice(rows, _PAGE)):
            _refuse_pruned(page, edge, file)
            fresh = _unknown(connection, [row for _, row in page])
            if fresh:
                connection.execute(insert(attempts), fresh)
            for row in fresh:
                _count(row, tally)
            added += len(fresh)
            known += len(page) - len(fresh)
            progress(len(page))
        if added:
            _add(connection, rollups, tally.rollups())
            _add(connection, job_totals, tally.jobs())
            note(connection, "attempts_imported", {"attempts": added, "by": by}, at_us=now_us)
    return Imported(added=added, known=known)


def _refuse_pruned(page: Iterable[tuple[int, Row]], edge: int | None, file: Path) -> None:
    """Attempts from before the last pruning may be in the sums already; nobody can tell."""
    for number, row in page:
        if edge is not None and row["started_at"] < edge:
            msg = (
                f"{file}:{number}: began before {edge // MICROS} (epoch seconds), up to where attempts were pruned "
                "from this ledger; its sums may have it already, so it would count twice"
            )
            raise ImportFileError(msg)


def _unknown(connection: Connection, rows: Iterable[Row]) -> list[Row]:
    wanted = {(row["call_id"], row["attempt"]): row for row in reversed(list(rows))}
    calls = {call_id for call_id, _ in wanted}
    query = select(attempts.c.call_id, attempts.c.attempt).where(attempts.c.call_id.in_(calls))
    known = {tuple(found) for found in connection.execute(query)}
    return [row for key, row in reversed(wanted.items()) if key not in known]


def _count(row: Mapping[str, Any], tally: Tally) -> None:
    went_out = row["status"] != "refused"
    tally.add(
        Place(row["started_at"], row["service"], row["model"], row["layer"], row["key"], row["job"]),
        row["status"],
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cache_read_tokens=row["cache_read_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
        ),
        cost=row["cost"] if went_out else row["cost"] or 0,
        estimated=bool(row["estimated"]),
        duration_us=row["duration_us"] or 0,
        waited_us=row["waited_us"] if went_out else 0,
    )


def _add(connection: Connection, table: Table, sums: Iterable[tuple[int | str, ...]]) -> None:
    """Add *sums*, each after its key, to what *table* has."""
    names = [column.name for column in table.primary_key]
    where = [table.c[name] == bindparam(f"key_{name}") for name in names]
    change = update(table).where(*where).values({name: table.c[name] + bindparam(f"add_{name}") for name in SUMS})
    for row in sums:
        key, values = row[: len(names)], row[len(names) :]
        parameters = {f"key_{name}": value for name, value in zip(names, key, strict=True)}
        parameters |= {f"add_{name}": value for name, value in zip(SUMS, values, strict=True)}
        if connection.execute(change, parameters).rowcount == 0:
            new = {**dict(zip(names, key, strict=True)), **dict(zip(SUMS, values, strict=True))}
            connection.execute(insert(table).values(new))
