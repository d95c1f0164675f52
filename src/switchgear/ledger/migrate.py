"""Which version a ledger's schema has, and the way to the newest."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from switchgear.errors import LedgerError
from switchgear.ledger.engine import POSTGRES, name_of
from switchgear.ledger.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import Connection, Engine

__all__ = ["HEAD", "check", "current", "head", "upgrade"]

HEAD: Final = "0004"
"""The schema that this program writes. Revisions are numbers, so that older and newer can be told."""

# Alembic's own table, as Alembic makes it.
_version: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def head() -> str:
    """Return the version that this program writes."""
    return HEAD


def current(engine: Engine) -> str | None:
    """Return the version of the database, None when it has none."""
    with engine.connect() as connection:
        return _current(connection)


def check(engine: Engine, *, create: bool = True) -> None:
    """Make sure that this program and the database speak of the same schema.

    With *create* an empty database is given the newest schema.

    Raises:
        LedgerError: it is older (says what to run), newer, or no ledger at all.
    """
    name = f"the ledger {name_of(engine) or 'in memory'}"
    with _one_at_a_time(engine) as connection:
        version = _current(connection)
        if version == HEAD:
            return
        if version is None:
            if inspect(connection).get_table_names():
                msg = f"{name} is a database of something else"
                raise LedgerError(msg)
            if not create:
                msg = f"{name} is empty"
                raise LedgerError(msg)
            # The same as all migrations (a test compares them) without half a second for Alembic.
            metadata.create_all(connection)
            _version.create(connection)
            connection.execute(insert(_version).values(version_num=HEAD))
            return
    if _is_newer(version):
        msg = f"{name} has schema {version}, written by a newer Switchgear than this one, which knows up to {HEAD}"
        raise LedgerError(msg)
    msg = f"{name} has schema {version} and this Switchgear needs {HEAD}: run `switchgear db upgrade`"
    raise LedgerError(msg)


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema, in one transaction.

    Raises:
        LedgerError: it is newer than this program.
    """
    version = current(engine)
    if version is not None and _is_newer(version):
        check(engine)
    if version == HEAD:
        return
    from alembic import command

    config = _alembic_config()
    with _one_at_a_time(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _one_at_a_time(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction; of two processes the second sees what the first has made."""
    if engine.dialect.name != POSTGRES:
        with engine.begin() as connection:
            yield connection
        return
    from switchgear.ledger.postgres_seat import lock_schema

    with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        connection.exec_driver_sql(lock_schema)
        yield connection


def _alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.execute(select(_version.c.version_num)).scalar()


def _is_newer(version: str) -> bool:
    return not version.isdigit() or int(version) > int(HEAD)
