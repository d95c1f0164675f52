"""How tools get at a ledger: alone, beside a running server, or only looking."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import false, insert, update

from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import POSTGRES, translated
from switchgear.ledger.home import home_of
from switchgear.ledger.migrate import check
from switchgear.ledger.schema import attempts, events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Engine

    from switchgear.ledger.engine import Durability

__all__ = ["alone", "beside", "changing", "looking", "note"]


@contextmanager
def alone(url: str, *, durability: Durability = "process", create: bool = False) -> Iterator[Engine]:
    """Yield the ledger at *url* for writing, with the writer's lock held; *create* makes a missing one.

    Raises:
        LedgerError: it does not exist, its schema is another one, or somebody else writes to it
            (the message names the process).
    """
    home = home_of(url)
    if not create or home.in_memory:
        home.require()
    lock = home.lock()
    try:
        with _opened(home.open(durability=durability), create=create) as engine, home.alone(engine):
            yield engine
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def beside(url: str, *, durability: Durability = "process") -> Iterator[Engine]:
    """Yield the ledger at *url* for writing while a server may write to it too: only for short transactions.

    Raises:
        LedgerError: it does not exist, or its schema is another one.
    """
    home = home_of(url)
    home.require()
    with _opened(home.open(durability=durability)) as engine:
        yield engine


@contextmanager
def looking(url: str) -> Iterator[Engine]:
    """Yield the ledger at *url* for reading; nothing is changed, and nobody is kept waiting.

    Raises:
        LedgerError: it does not exist, or its schema is another one.
    """
    home = home_of(url)
    home.require()
    with _opened(home.open(read_only=True)) as engine:
        yield engine


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection inside a transaction that may write from its first statement on.

    A transaction that reads first and writes later fails when somebody else has written in
    between; so the write lock is taken before anything is read.
    """
    with translated(engine), engine.begin() as connection:
        if engine.dialect.name == POSTGRES:
            # Every transaction of a writer begins with attempts, so it waits here, and holds nothing meanwhile.
            connection.exec_driver_sql("LOCK TABLE attempts IN SHARE ROW EXCLUSIVE MODE")
        else:
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
