"""Opening the database of a ledger."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from switchgear.errors import ConfigError, LedgerError
from switchgear.ledger.faults import explain, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import ExceptionContext

__all__ = [
    "POSTGRES",
    "Durability",
    "backend_of",
    "ledger_path",
    "name_of",
    "on_damage",
    "open_engine",
    "reading",
    "translated",
]

Durability = Literal["process", "power"]
"""What a committed attempt survives: ``kill -9`` of the process, or the loss of power as well."""

POSTGRES: Final = "postgresql"
_SQLITE: Final = "sqlite"

_BUSY_MS: Final = 5_000
# A lone attempt touches ten pages; SQLite's own 1,000 would make every hundredth caller wait for the disk.
_CHECKPOINT_PAGES: Final = 4_000
_CONNECTIONS: Final = 4
_MORE_CONNECTIONS: Final = 60
_memory_names: Final = itertools.count(1)


def backend_of(url: str) -> str:
    """Return ``sqlite`` or ``postgresql``.

    Raises:
        LedgerError: not a URL, or a kind of database that is not supported.
    """
    kind = _parsed(url).get_backend_name()
    if kind not in {_SQLITE, POSTGRES}:
        msg = f"a ledger can't be kept in {kind!r}; use sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
        raise LedgerError(msg)
    return kind


def ledger_path(url: str) -> Path | None:
    """Return the file that *url* names, with links resolved; None for a ledger in memory.

    Raises:
        LedgerError: not a URL, a kind of database that is not supported, or no place for a file.
        ConfigError: the ledger is in no file, since it is kept on PostgreSQL.
    """
    if backend_of(url) == POSTGRES:
        msg = (
            "this ledger is kept on PostgreSQL, not in a file: copy it with pg_dump while it is in use, "
            "bring it back with pg_restore"
        )
        raise ConfigError(msg)
    parsed = _parsed(url)
    if parsed.database in {None, "", ":memory:"}:
        return None
    path = Path(str(parsed.database)).expanduser().resolve()
    if not path.parent.is_dir():
        msg = f"the ledger {path}: its folder does not exist"
        raise LedgerError(msg)
    if path.is_dir():
        msg = f"the ledger {path}: that is a folder"
        raise LedgerError(msg)
    return path


def open_engine(url: str, *, durability: Durability = "process", read_only: bool = False) -> Engine:
    """Open the SQLite database at *url*, for instance ``sqlite:///switchgear.db``.

    ``sqlite://`` is a database in memory, another one at each call. Writing creates a missing
    file, but no folder.

    Raises:
        LedgerError: in one sentence, why it can't be opened.
    """
    path = ledger_path(url)
    if read_only and path is not None and not path.exists():
        msg = f"the ledger {path} does not exist yet"
        raise LedgerError(msg)
    opener = _opener(path, durability=durability, read_only=read_only)
    engine = create_engine(
        make_url(url).set(database=None if path is None else str(path), query={}),
        creator=opener,
        poolclass=QueuePool,
        pool_size=_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
    )
    event.listen(engine, "begin", _begin)
    # The first connection tells whether it is a database; in memory it also keeps it alive.
    engine.connect().close()
    return engine


def name_of(engine: Engine) -> str | None:
    """Return what people call the ledger that *engine* is open on; None: it is in memory."""
    if engine.dialect.name == POSTGRES:
        from switchgear.ledger.postgres import shown

        return shown(engine.url)
    return engine.url.database


def on_damage(engine: Engine, tell: Callable[[BaseException], None]) -> None:
    """Call *tell* with every error of a query that says the file is damaged."""

    def look(context: ExceptionContext) -> None:
        if is_damage(context.original_exception):
            tell(context.original_exception)

    event.listen(engine, "handle_error", look)


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn every error of the database inside into a LedgerError."""
    if engine.dialect.name == POSTGRES:
        from switchgear.ledger.postgres_faults import translated as of_postgres

        with of_postgres(engine.url):
            yield
        return
    try:
        yield
    except SQLAlchemyError as error:
        raise explain(getattr(error, "orig", None) or error, name=engine.url.database) from error
    except sqlite3.Error as error:
        raise explain(error, name=engine.url.database) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection for queries that see one moment of the ledger."""
    with translated(engine), engine.connect() as connection:
        yield connection


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        msg = 'ledger.url is not a URL; a ledger is named like this: "sqlite:///switchgear.db"'
        raise LedgerError(msg) from None


def _opener(path: Path | None, *, durability: Durability, read_only: bool) -> Callable[[], sqlite3.Connection]:
    if path is None:
        # Connections of one process share a database of this file system by its name.
        target = f"file:/switchgear-{next(_memory_names)}?vfs=memdb"
    else:
        target = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rwc'}"
    pragmas = [f"busy_timeout = {_BUSY_MS}"]
    if read_only:
        pragmas.append("query_only = ON")
    elif path is not None:
        # The first holds for a file that is made now: what is pruned can be given back to the disk.
        pragmas += ["auto_vacuum = INCREMENTAL", "journal_mode = WAL", f"wal_autocheckpoint = {_CHECKPOINT_PAGES}"]
        pragmas.append(f"synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")

    def connect() -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            # Transactions are begun by us: the driver's own habit would begin them too late.
            connection = sqlite3.connect(target, uri=True, isolation_level=None, check_same_thread=False)
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
            connection.execute("SELECT count(*) FROM sqlite_master").close()
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise explain(error, name=None if path is None else str(path)) from None
        return connection

    return connect


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
