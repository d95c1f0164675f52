"""What SQLite says, in words that tell what to do."""

from __future__ import annotations

import sqlite3
from typing import Final

from switchgear.errors import LedgerError

__all__ = ["concerns_storage", "explain", "is_damage"]

_WORDS: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "the file is read-only; make it writable again",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened; see its permissions and those of its folder",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_IOERR: "the disk does not answer properly; see its space, quotas and errors",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; wait for it, or end it",
    sqlite3.SQLITE_LOCKED: "another connection keeps it locked",
    sqlite3.SQLITE_PERM: "the permission is missing",
}
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_WAY_OUT: Final = "; stop Switchgear and put a backup in its place: switchgear ledger restore FILE"


def concerns_storage(error: BaseException) -> bool:
    """Return whether *error* is about the file or the disk rather than about what was written."""
    if isinstance(error, LedgerError):  # from before anything was asked of SQLite
        return True
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.DataError | sqlite3.ProgrammingError | sqlite3.NotSupportedError
    )


def is_damage(error: BaseException) -> bool:
    """Return whether *error* says that the file is no sound database, which nothing but a backup repairs."""
    return _kind(error) in _DAMAGED


def explain(error: BaseException, *, name: str | None) -> LedgerError:
    """Return *error* as one sentence about the ledger called *name* (its path; None: in memory)."""
    what = "the ledger in memory" if name is None else f"the ledger {name}"
    if isinstance(error, LedgerError):
        return error
    if not isinstance(error, sqlite3.Error):
        return LedgerError(f"{what}: {type(error).__name__}: {error}")
    words = _WORDS.get(_kind(error) or 0)
    way_out = _WAY_OUT if is_damage(error) else ""
    return LedgerError(f"{what}: {words} ({error}){way_out}" if words else f"{what}: {error}")


def _kind(error: BaseException) -> int | None:
    # The low byte is the kind; the rest is detail.
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
