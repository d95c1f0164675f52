"""A copy of the ledger while it is in use, and the way back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from switchgear.errors import LedgerError
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import ledger_path, open_engine, reading, translated
from switchgear.ledger.faults import explain
from switchgear.ledger.home import file_of
from switchgear.ledger.lock import LedgerLock
from switchgear.ledger.migrate import check
from switchgear.ledger.schema import attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["backup", "restore"]

_PAGES: Final = 1_000
_SIDES: Final = ("-wal", "-shm")
"""Files beside a database that are part of it."""


def backup(url: str, target: Path, *, progress: Callable[[int, int], None] = lambda _done, _all: None) -> int:
    """Copy the ledger at *url* to the new file *target*; return its size in bytes.

    The copy is the ledger of one moment, whoever writes to it meanwhile. It is one file, complete by
    itself.

    Args:
        url: the ledger.
        target: a file that does not exist.
        progress: is told how many pages are copied, and of how many.

    Raises:
        FileExistsError: *target* is there already; it is left as it is.
        LedgerError: *target* can't be written, or the ledger can't be read.
    """
    source = file_of(url)
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise
    except OSError as error:
        msg = f"{target}: can't be written: {error.strerror}"
        raise LedgerError(msg) from None
    try:
        _copy(source, target, progress)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target.stat().st_size


def restore(file: Path, url: str, *, stamp: str, by: str, now_us: int) -> tuple[int, Path | None]:
    """Put the backup in *file* in the place of the ledger at *url*.

    The ledger that was there is kept beside it, under a name with *stamp* in it. The audit trail of
    the restored one says when and by whom.

    Returns:
        how many attempts the restored ledger has, and where the old one is; None: there was none.

    Raises:
        LedgerError: a server has the ledger, *file* is no sound ledger of this version, or a file can't
            be written. The ledger is what it was.
    """
    path = ledger_path(url)
    if path is None:
        msg = "the ledger is kept in memory, so nothing can be restored to it"
        raise LedgerError(msg)
    lock = LedgerLock(path)
    fresh = path.with_name(f"{path.name}.restoring")
    try:
        count = _inspect(file)
        fresh.unlink(missing_ok=True)
        _copy(file, fresh, lambda _done, _all: None)
        _note(fresh, {"attempts": count, "by": by}, now_us)
        return count, _swap(fresh, path, path.with_name(f"{path.name}.before-restore-{stamp}"))
    except OSError as error:
        msg = f"the ledger {path} can't be restored: {error.strerror}"
        raise LedgerError(msg) from None
    finally:
        fresh.unlink(missing_ok=True)
        lock.release()


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    with _named(source), closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as reader:
        reader.isolation_level = None
        # A transaction of our own: the copy sees one moment, and never starts again because somebody writes.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with _named(target), closing(sqlite3.connect(target)) as writer:
            reader.backup(writer, pages=_PAGES, progress=lambda _status, left, every: progress(every - left, every))
            # One file, that can be read from a place where nothing can be written.
            writer.execute("PRAGMA journal_mode = DELETE")
        reader.execute("ROLLBACK")
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _note(fresh: Path, what: dict[str, object], now_us: int) -> None:
    """Enter in the audit trail of *fresh* that it was restored; it stays one file."""
    with _named(fresh), closing(sqlite3.connect(fresh)) as connection, connection:
        connection.execute(
            "INSERT INTO events (at, kind, subject, what) VALUES (?, 'ledger_restored', 'ledger', ?)",
            (now_us, json_text(what)),
        )


def _inspect(file: Path) -> int:
    """Return how many attempts the backup in *file* has."""
    if not file.is_file():
        msg = f"{file}: no such file"
        raise LedgerError(msg)
    engine = open_engine(f"sqlite:///{file.resolve()}", read_only=True)
    try:
        with translated(engine):
            check(engine, create=False)
        with reading(engine) as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if found != "ok":
                msg = f"{file}: the file is damaged ({found})"
                raise LedgerError(msg)
            return connection.execute(select(func.count()).select_from(attempts)).scalar_one()
    finally:
        engine.dispose()


def _swap(fresh: Path, path: Path, aside: Path) -> Path | None:
    """Put *fresh* in the place of *path*, which stays as *aside*."""
    old = path if path.exists() else None
    if old is not None:
        # A second name first: at no moment is there no ledger.
        os.link(path, aside)
        for side in _SIDES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    fresh.replace(path)
    return None if old is None else aside


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, name=str(path)) from None
