"""The first ledger: attempts, roll-ups, job totals, events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SUMS = (
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


def upgrade() -> None:
    """Make all tables of the first version."""
    counter = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    _attempts(counter)
    op.create_table(
        "rollups",
        sa.Column("bucket_start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("layer", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("status", sa.String(16), primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_totals",
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("status", sa.String(16), primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        sa.Column("id", counter, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
    )
    op.create_index("events_kind_subject", "events", ["kind", "subject"])


def _attempts(counter: sa.types.TypeEngine[int]) -> None:
    op.create_table(
        "attempts",
        sa.Column("seq", counter, primary_key=True),
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("degraded_from", sa.Text),
        sa.Column("asked_model", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("job", sa.Text),
        sa.Column("run", sa.Text),
        sa.Column("layer", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("refused_by", sa.String(16)),
        sa.Column("refusal", sa.Text),
        sa.Column("http_status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("streamed", sa.SmallInteger, nullable=False),
        sa.Column("estimated", sa.SmallInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
        sa.Column("reserved", sa.BigInteger),
        sa.Column("cost", sa.BigInteger),
        sa.Column("price_version", sa.Text),
        sa.Column("waited_us", sa.BigInteger, nullable=False),
        sa.Column("ttft_us", sa.BigInteger),
        sa.Column("duration_us", sa.BigInteger),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("span_id", sa.String(16)),
        sa.Column("parent_span_id", sa.String(16)),
    )
    op.create_index("attempts_call", "attempts", ["call_id", "attempt"], unique=True)
    op.create_index("attempts_started_at", "attempts", ["started_at"])
    sparse = {column: f"{column} IS NOT NULL" for column in ("job", "run", "trace_id")} | {"status": "status <> 'ok'"}
    for column, condition in sparse.items():
        where = sa.text(condition)
        op.create_index(f"attempts_{column}", "attempts", [column], sqlite_where=where, postgresql_where=where)
