"""What SQLite says, in words that tell what to do."""

from __future__ import annotations

import sqlite3
from typing import Final

from switchgear.errors import LedgerError

__all__ = ["concerns_storage", "explain"]

_WORDS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file is read-only, or was moved away",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_IOERR: "the disk does not answer properly",
    sqlite3.SQLITE_BUSY: "another process keeps it locked",
    sqlite3.SQLITE_LOCKED: "another connection keeps it locked",
    sqlite3.SQLITE_PERM: "the permission is missing",
}


def concerns_storage(error: BaseException) -> bool:
    """Return whether *error* is about the file or the disk rather than about what was written."""
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError | sqlite3.NotSupportedError
    )


def explain(error: BaseException, *, name: str | None) -> LedgerError:
    """Return *error* as one sentence about the ledger called *name* (its path; None: in memory)."""
    what = "the ledger in memory" if name is None else f"the ledger {name}"
    if isinstance(error, LedgerError):
        return error
    if not isinstance(error, sqlite3.Error):
        return LedgerError(f"{what}: {type(error).__name__}: {error}")
    # The low byte is the kind; the rest is detail.
    code = getattr(error, "sqlite_errorcode", None)
    words = None if code is None else _WORDS.get(code & 0xFF)
    return LedgerError(f"{what}: {words} ({error})" if words else f"{what}: {error}")
