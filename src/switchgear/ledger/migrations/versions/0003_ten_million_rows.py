"""What keeps a ledger of ten million rows fast: changes of roll-ups, sums of budgets, indexes in order of time.

No sum has to be filled in: an hour without an entry has not changed since, and what a budget has
spent is added up from its attempts at the next start.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SPARSE = {column: f"{column} IS NOT NULL" for column in ("job", "run", "trace_id")} | {"status": "status <> 'ok'"}


def upgrade() -> None:
    """Make the tables, and the indexes anew."""
    op.create_table(
        "rollup_changes",
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("changes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_sums",
        sa.Column("counted", sa.Text, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budget_marks",
        sa.Column("counted", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("reaches", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    for column, condition in _SPARSE.items():
        op.drop_index(f"attempts_{column}", "attempts")
        _index(f"attempts_{column}", [column, "started_at"], condition)
    _index("attempts_units", ["started_at"], "units <> '{}'")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "attempts", columns, sqlite_where=where, postgresql_where=where)
