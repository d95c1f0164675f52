"""How tools get at a ledger: alone, beside a running server, or only looking."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import false, insert, update

from switchgear.errors import LedgerError
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import ledger_path, open_engine, translated
from switchgear.ledger.lock import LedgerLock
from switchgear.ledger.migrate import check
from switchgear.ledger.schema import attempts, events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from switchgear.ledger.engine import Durability

__all__ = ["alone", "beside", "changing", "file_of", "looking", "note"]


def file_of(url: str) -> Path:
    """Return the file of the ledger at *url*, which exists.

    Raises:
        LedgerError: there is none yet, or the ledger is kept in memory.
    """
    path = ledger_path(url)
    if path is None:
        msg = "the ledger is kept in memory, so there is nothing to work on"
        raise LedgerError(msg)
    if not path.exists():
        msg = f"the ledger {path} does not exist yet"
        raise LedgerError(msg)
    return path


@contextmanager
def alone(url: str, *, durability: Durability = "process", create: bool = False) -> Iterator[Engine]:
    """Yield the ledger at *url* for writing, with the writer's lock held; *create* makes a missing one.

    Raises:
        LedgerError: it does not exist, its schema is another one, or somebody else writes to it
            (the message names the process).
    """
    path = ledger_path(url) if create else None
    lock = LedgerLock(path or file_of(url))
    try:
        with _opened(open_engine(url, durability=durability), create=create) as engine:
            yield engine
    finally:
        lock.release()


@contextmanager
def beside(url: str, *, durability: Durability = "process", create: bool = False) -> Iterator[Engine]:
    """Yield the ledger at *url* for writing while a server may write to it too: only for short transactions.

    *create* makes a missing one.

    Raises:
        LedgerError: it does not exist, or its schema is another one.
    """
    if not create or ledger_path(url) is None:
        file_of(url)
    with _opened(open_engine(url, durability=durability), create=create) as engine:
        yield engine


@contextmanager
def looking(url: str) -> Iterator[Engine]:
    """Yield the ledger at *url* for reading; nothing is changed, and nobody is kept waiting.

    Raises:
        LedgerError: it does not exist, or its schema is another one.
    """
    file_of(url)
    with _opened(open_engine(url, read_only=True)) as engine:
        yield engine


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection inside a transaction that may write from its first statement on.

    A transaction that reads first and writes later fails when somebody else has written in
    between; so the write lock is taken before anything is read.
    """
    with translated(engine), engine.begin() as connection:
        connection.execute(update(attempts).where(false()).values(seq=0))
        yield connection


def note(connection: Connection, kind: str, what: Mapping[str, object], *, at_us: int) -> None:
    """Enter in the audit trail what an operator has done to the ledger."""
    connection.execute(insert(events).values(at=at_us, kind=kind, subject="ledger", what=json_text(what)))


@contextmanager
def _opened(engine: Engine, *, create: bool = False) -> Iterator[Engine]:
    try:
        with translated(engine):
            check(engine, create=create)
            yield engine
    finally:
        engine.dispose()
