"""The statements of the writer on PostgreSQL.

Each takes all its rows as one JSON array, so every statement is prepared once, whatever the number of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import String
from sqlalchemy.dialects import postgresql

from switchgear.ledger.schema import SUMS, attempts, events, job_totals, rollups
from switchgear.ledger.sql import EVENT, OPENED, SETTLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Table

__all__ = [
    "CALL",
    "FIND",
    "INSERT_ATTEMPTS",
    "INSERT_EVENTS",
    "ORPHAN",
    "OWNERS",
    "SETTLE",
    "UPSERT_JOB_TOTALS",
    "UPSERT_ROLLUPS",
]

CALL: Final = ("call_id", "attempt")
"""What names an attempt."""

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here


def _rows(table: Table, columns: Iterable[str]) -> str:
    """Return the rows of the parameter, with the types that *table* has."""
    kinds = ((name, table.c[name].type) for name in columns)
    typed = ", ".join(
        f'"{name}" {"text" if isinstance(kind, String) else kind.compile(_DIALECT)}' for name, kind in kinds
    )
    return f"json_to_recordset(%s::json) AS given({typed})"


def _names(columns: Iterable[str], of: str = "") -> str:
    return ", ".join(f'{of}"{name}"' for name in columns)


def _insert(table: Table, columns: Sequence[str]) -> str:
    names = _names(columns)
    return f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {_rows(table, columns)}"  # noqa: S608 - names of the schema


def _upsert(table: Table) -> bytes:
    group = [column.name for column in table.primary_key]
    added = ", ".join(f'"{name}" = {table.name}."{name}" + excluded."{name}"' for name in SUMS)
    return f"{_insert(table, [*group, *SUMS])} ON CONFLICT ({_names(group)}) DO UPDATE SET {added}".encode()


_KNOWN: Final = ("call_id", "attempt", "seq", "status", "started_at", "service", "model", "layer", "key", "job")

INSERT_ATTEMPTS: Final = (
    f"INSERT INTO attempts ({_names(OPENED)}, owner) SELECT {_names(OPENED)}, %s::bigint FROM "  # noqa: S608 - names of the schema
    f"{_rows(attempts, OPENED)}"
).encode()
"""Adds attempts of the columns *OPENED*; the first parameter is the owner."""

INSERT_EVENTS: Final = _insert(events, EVENT).encode()

_CHANGES: Final = ", ".join(
    f'"{name}" = ' + ("coalesce(given.model, attempts.model)" if name == "model" else f'given."{name}"')
    for name in SETTLED
)
SETTLE: Final = (
    f"UPDATE attempts SET {_CHANGES}, owner = NULL FROM {_rows(attempts, (*CALL, *SETTLED))}"  # noqa: S608 - names of the schema
    " WHERE attempts.call_id = given.call_id AND attempts.attempt = given.attempt AND attempts.status = 'reserved'"
    f" RETURNING {_names(_KNOWN, 'attempts.')}, attempts.waited_us"
).encode()
"""Settles attempts that are still reserved, and returns what a tally needs of them."""

FIND: Final = (
    f"SELECT {_names(CALL, 'attempts.')} FROM attempts JOIN {_rows(attempts, CALL)} USING ({_names(CALL)})"  # noqa: S608 - names of the schema
).encode()
"""Which of the attempts there are."""

UPSERT_ROLLUPS: Final = _upsert(rollups)
UPSERT_JOB_TOTALS: Final = _upsert(job_totals)

_OPEN: Final = "status = 'reserved' AND status <> 'ok'"  # the second makes the index of statuses serve
OWNERS: Final = f"SELECT DISTINCT owner FROM attempts WHERE {_OPEN} AND owner <> %s".encode()  # noqa: S608 - no input
"""The processes that have attempts on the wire, but for one."""

ORPHAN: Final = (
    f"UPDATE attempts SET status = 'orphaned', cost = reserved, owner = NULL WHERE {_OPEN}"  # noqa: S608 - no input
    " AND (owner IS NULL OR owner = ANY(%s)) RETURNING started_at, service, model, layer, key, job,"
    " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, reserved, waited_us"
).encode()
"""Settles what these owners, or nobody, have on the wire."""
