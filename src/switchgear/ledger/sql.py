"""The statements of the writer, as text with ``?`` in it.

They carry many rows at a time: CPython lets go of its lock at every step of SQLite, so one
statement a row would wait for a busy Python thread once a row. ``OR ROLLBACK`` spares SQLite the
journal that it keeps to undo one statement of many rows, three times the cost of the rows.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from switchgear.ledger.schema import SUMS, job_totals, rollup_changes, rollups

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Table

    from switchgear.ledger.encoding import Values

__all__ = [
    "EVENT",
    "FIND",
    "OPENED",
    "SETTLED",
    "insert_attempts",
    "insert_events",
    "send",
    "settle_attempts",
    "upsert_changes",
    "upsert_job_totals",
    "upsert_rollups",
]

_PORTIONS: Final = (64, 32, 16, 8, 4, 2, 1)
"""Rows a statement: any number of rows takes few statements, and few different ones, each compiled once."""

OPENED: Final = (
    "call_id",
    "attempt",
    "started_at",
    "service",
    "endpoint",
    "degraded_from",
    "asked_model",
    "model",
    "job",
    "run",
    "layer",
    "key",
    "tags",
    "status",
    "refused_by",
    "refusal",
    "streamed",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "units",
    "reserved",
    "cost",
    "price_version",
    "waited_us",
    "trace_id",
    "span_id",
    "parent_span_id",
)
"""The columns that are known when an attempt is reserved or refused."""

SETTLED: Final = (
    "status",
    "model",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "units",
    "cost",
    "price_version",
    "estimated",
    "http_status",
    "error",
    "ttft_us",
    "duration_us",
)
"""The columns that settling sets; before them comes the ``seq`` of the attempt."""

EVENT: Final = ("at", "kind", "subject", "what")
"""The columns of an event."""

FIND: Final = (
    "SELECT json_group_array(json_array(a.call_id, a.attempt, a.seq, a.status, a.started_at, a.service, a.model,"
    " a.layer, a.key, a.job, a.waited_us)) FROM json_each(?) AS wanted JOIN attempts AS a"
    " ON a.call_id = wanted.value"
)
"""One row, one value: what is known of all attempts of the calls in a JSON list."""


def _places(width: int, count: int) -> str:
    one = f"({', '.join('?' * width)})"
    return ", ".join([one] * count)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _insert(table: str, columns: Sequence[str], count: int) -> str:
    return f"INSERT OR ROLLBACK INTO {table} ({_names(columns)}) VALUES {_places(len(columns), count)}"  # noqa: S608 - names of the schema


@cache
def insert_attempts(count: int) -> str:
    """Return the statement that adds *count* attempts of the columns *OPENED*."""
    return _insert("attempts", OPENED, count)


@cache
def insert_events(count: int) -> str:
    """Return the statement that adds *count* events."""
    return _insert("events", EVENT, count)


@cache
def settle_attempts(count: int) -> str:
    """Return the statement that settles *count* attempts, if they are still reserved."""
    changes = ", ".join(f'"{name}" = news.column{number}' for number, name in enumerate(SETTLED, start=2))
    news = _places(1 + len(SETTLED), count)
    return (
        f"UPDATE OR ROLLBACK attempts SET {changes} FROM (VALUES {news}) AS news"  # noqa: S608 - names of the schema
        " WHERE attempts.seq = news.column1 AND attempts.status = 'reserved'"
    )


def _upsert(table: Table, count: int, sums: Sequence[str] = SUMS) -> str:
    group = [column.name for column in table.primary_key]
    added = ", ".join(f'"{name}" = {table.name}."{name}" + excluded."{name}"' for name in sums)
    insert = _insert(table.name, [*group, *sums], count)
    return f"{insert} ON CONFLICT ({_names(group)}) DO UPDATE SET {added}"


@cache
def upsert_rollups(count: int) -> str:
    """Return the statement that adds *count* sums to roll-ups."""
    return _upsert(rollups, count)


@cache
def upsert_job_totals(count: int) -> str:
    """Return the statement that adds *count* sums to job totals."""
    return _upsert(job_totals, count)


@cache
def upsert_changes(count: int) -> str:
    """Return the statement that counts one more change of *count* hours."""
    return _upsert(rollup_changes, count, ("changes",))


def send(cursor: sqlite3.Cursor, statement: Callable[[int], str], rows: Sequence[Values]) -> None:
    """Run *statement* over all *rows*."""
    start = 0
    for portion in _PORTIONS:
        while len(rows) - start >= portion:
            values = [value for row in rows[start : start + portion] for value in row]
            cursor.execute(statement(portion), values)
            start += portion
