"""Which process has an attempt on the wire, for ledgers that many processes write to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the owner; attempts from before have none."""
    op.add_column("attempts", sa.Column("owner", sa.BigInteger))
