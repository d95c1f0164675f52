"""Opening the runner's database: a SQLite file of its own, or PostgreSQL for several machines."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from switchgear.runner.faults import RunnerDown, RunnerError
from switchgear.runner.tables import metadata

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

__all__ = ["durable_url", "folder_of", "open_database", "reading", "writing"]

_BUSY_MS: Final = 15_000
_LOCK: Final = 7_264_817_530
"""Names the advisory lock under which PostgreSQL gives out runs, one worker at a time."""


def open_database(url: str) -> Engine:
    """Open the database at *url*, and make the tables that it lacks.

    Raises:
        RunnerError: it can't be opened, in one sentence.
    """
    parsed = _parsed(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_MS / 1000})
            event.listen(engine, "connect", _prepare)
            # The driver's own BEGIN comes too late: the first read of a transaction that will write must lock too.
            event.listen(engine, "begin", _begin)
        else:
            engine = create_engine(parsed, pool_pre_ping=True)
        with writing(engine) as connection:
            metadata.create_all(connection)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        msg = f"the runner's database {parsed.render_as_string()} can't be opened: {_short(error)}"
        raise RunnerError(msg) from error
    return engine


def durable_url(url: str) -> str:
    """Return where DBOS keeps what layers have put out: beside *url* in a file, in the same PostgreSQL database."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return parsed.render_as_string(hide_password=False)
    path = Path(str(parsed.database))
    return f"sqlite:///{path.with_name(path.stem + '.steps' + path.suffix)}"


def folder_of(url: str) -> Path:
    """Return the folder of artefacts that goes with *url*, unless another is configured."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return Path("runs")
    path = Path(str(parsed.database))
    return path.with_name(path.stem + "-files")


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose reads fit together."""
    with _told(), engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def writing(engine: Engine, *, alone: bool = False) -> Iterator[Connection]:
    """Give a connection whose changes are there when the block has ended, all or none.

    *alone*: nobody else who asks for the same is inside at the same time, on any machine.
    """
    with _told(), engine.connect().execution_options(writes=True) as connection, connection.begin():
        if alone and engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        msg = f"the runner's database failed: {_short(error)}"
        raise RunnerDown(msg) from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except ArgumentError as error:
        msg = f"the runner's database is named sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME, not {url!r}"
        raise RunnerError(msg) from error
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        msg = f"runs can't be kept in {kind!r}; use sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
        raise RunnerError(msg)
    if parsed.database in {None, "", ":memory:"}:
        msg = "runs have to survive their process: sqlite:///PATH needs a path"
        raise RunnerError(msg)
    path = Path(str(parsed.database)).expanduser().resolve()
    if not path.parent.is_dir():
        msg = f"the runner's database {path}: its folder does not exist"
        raise RunnerError(msg)
    return parsed.set(drivername="sqlite+pysqlite", database=str(path))


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _short(error: Exception) -> str:
    first = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return re.sub(r"//[^@/\s]*@", "//***@", first)
