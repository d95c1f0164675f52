"""Whether the file of a ledger is still where it was opened."""

from __future__ import annotations

import os
from typing import Final

from switchgear.errors import LedgerError

__all__ = ["Place"]


class Place:
    """The file at *path* as it is now; None: a ledger in memory, which stays where it is.

    SQLite goes on writing to a file that was deleted, renamed or replaced, and nobody finds that again.

    Raises:
        LedgerError: there is none.
    """

    def __init__(self, path: str | None) -> None:
        self._path: Final = path
        self._file: Final = None if path is None else self._look(path)

    def check(self) -> None:
        """Do nothing, if the same file is there.

        Raises:
            LedgerError: another one, or none, is there.
        """
        if self._path is not None and self._look(self._path) != self._file:
            msg = f"the ledger {self._path}: another file is in its place; put it back, or start Switchgear again"
            raise LedgerError(msg)

    @staticmethod
    def _look(path: str) -> tuple[int, int]:
        try:
            found = os.stat(path)  # noqa: PTH116 - once a transaction, so without a Path
        except OSError as error:
            msg = f"the ledger {path}: the file was moved away; put it back in its place ({error.strerror})"
            raise LedgerError(msg) from None
        return found.st_dev, found.st_ino
