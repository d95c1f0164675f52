"""Where records are kept: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from jobsmith.applications.record import ApplicationsError
from jobsmith.applications.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

__all__ = ["Place", "beside"]

_BUSY_MS: Final = 5_000
_CONNECT_S: Final = 5
_WRITES: Final = {"switchgear_writes": True}


def beside(ledger_url: str) -> str:
    """Return where records are kept when nobody said so: in the ledger's database, or in a file beside its file."""
    url = make_url(ledger_url)
    if url.get_backend_name() != "sqlite":
        return ledger_url
    if url.database in {None, "", ":memory:"}:
        return "sqlite://"
    return f"sqlite:///{Path(str(url.database)).expanduser().parent / 'applications.db'}"


class Place:
    """Gives out connections; opened when it is first used. Reading makes no file: what is missing reads as empty.

    Args:
        url: ``sqlite:///FILE``, ``sqlite://`` (in memory) or ``postgresql+psycopg://USER@HOST/DATABASE``.

    Raises:
        ApplicationsError: *url* is none of these.
    """

    def __init__(self, url: str) -> None:
        self._url: Final = _read_url(url)
        self._lock: Final = threading.Lock()
        self._engine: Engine | None = None
        self._nothing: Engine | None = None

    @property
    def source(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._url.get_backend_name()

    @property
    def exists(self) -> bool:
        """Whether there is anything to read: for SQLite, whether the file is there."""
        return self._engine is not None or self._file is None or self._file.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to read from, at one point in time; raises ApplicationsError."""
        with self._translated(), (self._opened() if self.exists else self._empty()).connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection whose changes are kept if the block ends well; raises ApplicationsError."""
        with self._translated(), self._opened().execution_options(**_WRITES).begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of every connection; the next use opens them again."""
        with self._lock:
            for engine in (self._engine, self._nothing):
                if engine is not None:
                    engine.dispose()
            self._engine = self._nothing = None

    @property
    def _file(self) -> Path | None:
        if self.source != "sqlite" or self._url.database in {None, "", ":memory:"}:
            return None
        return Path(str(self._url.database)).expanduser()

    def _opened(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = _open(self._url, self._file)
            return self._engine

    def _empty(self) -> Engine:
        with self._lock:
            if self._nothing is None:
                self._nothing = _open(make_url("sqlite://"), None)
            return self._nothing

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            where = self._url.render_as_string(hide_password=True).partition("?")[0]
            said = str(getattr(error, "orig", None) or error).partition("\n")[0]
            msg = f"the application records at {where}: {said}"
            raise ApplicationsError(msg) from error


def _read_url(url: str) -> URL:
    try:
        found = make_url(url)
        backend = found.get_backend_name()
    except ArgumentError:
        backend = ""
    if backend == "postgresql":
        return found.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        # What stands there may hold a password, so it is not repeated.
        msg = "application records can't be kept there; use sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        raise ApplicationsError(msg)
    return found


def _open(url: URL, file: Path | None) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = _open_sqlite(file)
    else:
        engine = create_engine(
            url, pool_size=2, max_overflow=8, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S}
        )
    try:
        with engine.execution_options(**_WRITES).begin() as connection:
            prepare(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _open_sqlite(file: Path | None) -> Engine:
    if file is not None and not file.parent.is_dir():
        msg = f"the application records {file}: the folder does not exist"
        raise ApplicationsError(msg)
    more: dict[str, Any] = {"poolclass": StaticPool} if file is None else {}
    engine = create_engine(
        make_url("sqlite://").set(database=None if file is None else str(file)),
        connect_args={"check_same_thread": False},
        **more,
    )
    event.listen(engine, "connect", _tune)
    event.listen(engine, "begin", _begin)
    return engine


def _tune(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
    connection.isolation_level = None  # we begin transactions ourselves, see below
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    # One that will write takes its place at once: to ask for it later, with something read, may be in vain.
    writes = connection.get_execution_options().get("switchgear_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
