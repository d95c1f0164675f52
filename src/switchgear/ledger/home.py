"""Where a ledger is kept: its URL decides, here and nowhere else, which engine serves it."""

from __future__ import annotations

import secrets
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from switchgear.errors import LedgerError
from switchgear.ledger.engine import POSTGRES, backend_of, ledger_path, open_engine
from switchgear.ledger.lock import LedgerLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Engine

    from switchgear.ledger.books import Books
    from switchgear.ledger.engine import Durability

__all__ = ["Home", "SqliteHome", "books_of", "file_of", "home_of"]


class Home(Protocol):
    """The place of one ledger. Every method raises LedgerError, in one sentence, when it can't be reached."""

    @property
    def name(self) -> str:
        """What people call it: a path, or a database and its host; never a password."""

    @property
    def in_memory(self) -> bool:
        """Whether it ends with its process."""

    @property
    def identity(self) -> str:
        """What tells it from every other ledger; two in memory are never the same."""

    def exists(self) -> bool:
        """Return whether a ledger is there already."""

    def require(self) -> None:
        """Raise LedgerError if there can be no ledger to work on."""

    def lock(self) -> LedgerLock | None:
        """Take what a writing process must hold before it opens the database; None: nothing."""

    def open(self, *, durability: Durability = "process", read_only: bool = False) -> Engine:
        """Open the database; a missing one may be made, unless *read_only*."""

    def alone(self, engine: Engine) -> AbstractContextManager[None]:
        """Return a context in which no other process writes to the ledger; *engine* is open on it."""


def home_of(url: str) -> Home:
    """Return the place that *url* names.

    Raises:
        LedgerError: not a URL, a kind of database that is not supported, or no place for a file.
        ConfigError: the package for this kind of database is not installed.
    """
    if backend_of(url) == POSTGRES:
        from switchgear.ledger.postgres import PostgresHome

        return PostgresHome(url)
    return SqliteHome(url)


def books_of(engine: Engine) -> Books:
    """Return what writes to the ledger that *engine* is open on.

    Raises:
        LedgerError: somebody else works on the ledger alone.
    """
    if engine.dialect.name == POSTGRES:
        from switchgear.ledger.postgres_books import PostgresBooks

        return PostgresBooks(engine)
    from switchgear.ledger.sqlite_books import SqliteBooks

    return SqliteBooks(engine)


def file_of(url: str) -> Path:
    """Return the file of the ledger at *url*, which exists.

    Raises:
        LedgerError: there is none yet, or the ledger is kept in memory.
        ConfigError: it is kept on PostgreSQL.
    """
    path = ledger_path(url)
    if path is None:
        msg = "the ledger is kept in memory, so there is nothing to work on"
        raise LedgerError(msg)
    if not path.exists():
        msg = f"the ledger {path} does not exist yet"
        raise LedgerError(msg)
    return path


class SqliteHome:
    """A file, or the memory of this process."""

    def __init__(self, url: str) -> None:
        self._url: Final = url
        self._path: Final = ledger_path(url)

    @property
    def name(self) -> str:
        return "in memory" if self._path is None else str(self._path)

    @property
    def in_memory(self) -> bool:
        return self._path is None

    @property
    def identity(self) -> str:
        return secrets.token_hex(16) if self._path is None else f"{socket.gethostname()}:{self._path}"

    def exists(self) -> bool:
        return self._path is not None and self._path.exists()

    def require(self) -> None:
        file_of(self._url)

    def lock(self) -> LedgerLock | None:
        return None if self._path is None else LedgerLock(self._path)

    def open(self, *, durability: Durability = "process", read_only: bool = False) -> Engine:
        return open_engine(self._url, durability=durability, read_only=read_only)

    @contextmanager
    def alone(self, engine: Engine) -> Iterator[None]:
        # The lock of the file is held already.
        del engine
        yield
