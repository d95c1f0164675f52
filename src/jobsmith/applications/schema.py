"""The tables of the records, and which version of them a database has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    inspect,
    select,
    text,
)

from jobsmith.applications.record import ApplicationsError

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["APPLICATIONS", "ENTRIES", "FILES", "RUNS", "prepare"]

_VERSION: Final = 1
_LOCK: Final = 0x5347_4150
"""Of PostgreSQL: whoever holds it makes the tables. Its letters are SGAP."""

_METADATA: Final = MetaData()

APPLICATIONS: Final = Table(
    "applications",
    _METADATA,
    Column("id", Text, primary_key=True),
    Column("job", Text, unique=True),
    Column("role", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("applied_at", BigInteger),
    Column("fit", SmallInteger),
    Column("cost_nano", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("applications_applied_at", "applied_at"),
    Index("applications_created_at", "created_at", "id"),
    Index("applications_status", "status", "created_at", "id"),
)
"""One row an application; *status*, *applied_at* and *cost_nano* follow from the other tables."""

ENTRIES: Final = Table(
    "application_entries",
    _METADATA,
    Column("application", Text, ForeignKey("applications.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger),
    Column("noted_at", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("status", Text),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("application", "number"),
)
"""The history; only ever added to."""

RUNS: Final = Table(
    "application_runs",
    _METADATA,
    Column("application", Text, ForeignKey("applications.id", ondelete="CASCADE"), nullable=False),
    Column("run", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("cost_nano", BigInteger),
    PrimaryKeyConstraint("application", "run"),
)

FILES: Final = Table(
    "application_files",
    _METADATA,
    Column("application", Text, ForeignKey("applications.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("run", Text),
    PrimaryKeyConstraint("application", "name"),
)
"""What the newest run wrote, by name."""

_SCHEMA: Final = Table("application_schema", _METADATA, Column("version", Integer, nullable=False))


def prepare(connection: Connection) -> None:
    """Make the tables if they are missing, within the transaction of *connection*.

    Raises:
        ApplicationsError: a newer Switchgear made them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not inspect(connection).has_table(_SCHEMA.name):
        _METADATA.create_all(connection)
        connection.execute(_SCHEMA.insert().values(version=_VERSION))
        return
    found = connection.execute(select(_SCHEMA.c.version)).scalar_one()
    if found > _VERSION:
        msg = f"the application records are of version {found}, this Switchgear knows {_VERSION}: use a newer one"
        raise ApplicationsError(msg)
