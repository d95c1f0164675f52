"""The tables of the ledger, in types that SQLite and PostgreSQL share.

Instants are epoch microseconds and money is nano-USD, both BIGINT; ``tags``, ``units``,
``refusal`` and ``what`` are JSON as text. What is changed here needs a migration beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, String, Table, Text, text

if TYPE_CHECKING:
    from sqlalchemy import TextClause

__all__ = [
    "BUCKET_US",
    "NOT_OK",
    "SLOT_US",
    "SUMS",
    "WITH_UNITS",
    "attempts",
    "budget_marks",
    "budget_sums",
    "events",
    "job_totals",
    "keys",
    "metadata",
    "rollup_changes",
    "rollups",
]

BUCKET_US: Final = 15 * 60 * 1_000_000
"""Length of a roll-up's bucket in microseconds."""

SLOT_US: Final = 4 * BUCKET_US
"""How finely it is noted which roll-ups have changed."""

SUMS: Final = (
    "calls",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
    "unpriced",
    "estimated",
    "duration_us",
    "waited_us",
)
"""What roll-ups and job totals add up, in the order of ``Tally``."""

metadata: Final = MetaData()

# SQLite makes a column its row id only if the type reads INTEGER.
_Counter: Final = BigInteger().with_variant(Integer(), "sqlite")


def _sums() -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in SUMS]


attempts: Final = Table(
    "attempts",
    metadata,
    Column("seq", _Counter, primary_key=True),
    Column("call_id", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("service", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    # The model that the service was asked for decides which budgets a call falls under; the one
    # that the provider billed is what people read. The one that the caller asked for is there only
    # where a budget has put a cheaper one in its place.
    Column("degraded_from", Text),
    Column("asked_model", Text),
    Column("model", Text),
    Column("job", Text),
    Column("run", Text),
    Column("layer", Text),
    Column("key", Text),
    Column("tags", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("refused_by", String(16)),
    Column("refusal", Text),
    Column("http_status", Integer),
    Column("error", Text),
    Column("streamed", SmallInteger, nullable=False),
    Column("estimated", SmallInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("units", Text, nullable=False),
    Column("reserved", BigInteger),
    Column("cost", BigInteger),
    Column("price_version", Text),
    Column("waited_us", BigInteger, nullable=False),
    Column("ttft_us", BigInteger),
    Column("duration_us", BigInteger),
    Column("trace_id", String(32)),
    Column("span_id", String(16)),
    Column("parent_span_id", String(16)),
    # Of a ledger that many processes write to: the one that has the attempt on the wire.
    Column("owner", BigInteger),
    Index("attempts_call", "call_id", "attempt", unique=True),
    Index("attempts_started_at", "started_at"),
)

NOT_OK: Final = text("status <> 'ok'")
"""Goes with every question for a status but ``ok``: only then the index of statuses serves."""


def _sparse_index(column: str, where: TextClause) -> None:
    # A partial index costs nothing for the rows, mostly the many, that nobody looks for. With the time
    # in it, the newest come first without sorting all of them.
    columns = (attempts.c[column], attempts.c.started_at)
    Index(f"attempts_{column}", *columns, sqlite_where=where, postgresql_where=where)


_sparse_index("status", NOT_OK)
for _column in ("job", "run", "trace_id"):
    _sparse_index(_column, text(f"{_column} IS NOT NULL"))

WITH_UNITS: Final = text("units <> '{}'")
"""Goes with every question for units that are no tokens: few calls have any."""

Index("attempts_units", attempts.c.started_at, sqlite_where=WITH_UNITS, postgresql_where=WITH_UNITS)

rollups: Final = Table(
    "rollups",
    metadata,
    Column("bucket_start", BigInteger, primary_key=True, autoincrement=False),
    # '' stands for none: NULL never equals itself, so it can't be part of a key.
    Column("service", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("layer", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("status", String(16), primary_key=True),
    *_sums(),
    sqlite_with_rowid=False,
)

# Counts the transactions that have changed roll-ups of an hour: a sum that somebody has remembered
# still holds while the counts of its hours are what they were.
rollup_changes: Final = Table(
    "rollup_changes",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("changes", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

job_totals: Final = Table(
    "job_totals",
    metadata,
    Column("job", Text, primary_key=True),
    Column("status", String(16), primary_key=True),
    *_sums(),
    sqlite_with_rowid=False,
)

# What budgets have spent, carried forward: the attempts up to the mark, added up by value and piece of
# time. ``counted`` is what a budget counts, as JSON, not its name: see ``ledger.balances``.
budget_sums: Final = Table(
    "budget_sums",
    metadata,
    Column("counted", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Text, primary_key=True),
    Column("cost", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

budget_marks: Final = Table(
    "budget_marks",
    metadata,
    Column("counted", Text, primary_key=True),
    # The last attempt that is in the sums, and the instant before which attempts may be missing in them.
    Column("seq", BigInteger, nullable=False),
    Column("reaches", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

events: Final = Table(
    "events",
    metadata,
    Column("id", _Counter, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("what", Text, nullable=False),
    Index("events_kind_subject", "kind", "subject"),
)

keys: Final = Table(
    "keys",
    metadata,
    Column("name", String(64), primary_key=True),
    # Of a secret only its id and its SHA-256 are kept; the one before it holds for a while after a rotation.
    Column("id", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("previous_id", String(16)),
    Column("previous_digest", String(64)),
    Column("previous_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("terms", Text, nullable=False),
    # Counts changes over all keys; unique, so that of two changes at once neither can hide the other.
    Column("revision", BigInteger, nullable=False),
    Index("keys_id", "id", unique=True),
    Index("keys_revision", "revision", unique=True),
)
