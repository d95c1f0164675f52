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
    "SUMS",
    "attempts",
    "events",
    "job_totals",
    "metadata",
    "rollups",
]

BUCKET_US: Final = 15 * 60 * 1_000_000
"""Length of a roll-up's bucket in microseconds."""

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
    # A partial index costs nothing for the rows, mostly the many, that nobody looks for.
    Index(f"attempts_{column}", attempts.c[column], sqlite_where=where, postgresql_where=where)


_sparse_index("status", NOT_OK)
for _column in ("job", "run", "trace_id"):
    _sparse_index(_column, text(f"{_column} IS NOT NULL"))

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

job_totals: Final = Table(
    "job_totals",
    metadata,
    Column("job", Text, primary_key=True),
    Column("status", String(16), primary_key=True),
    *_sums(),
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
