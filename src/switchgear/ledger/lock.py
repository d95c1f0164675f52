"""One writer for one ledger: a lock file beside it, held as long as the ledger is open."""

from __future__ import annotations

import fcntl
import os
import weakref
from typing import TYPE_CHECKING

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LedgerLock"]


class LedgerLock:
    """An exclusive lock on the ledger at *path*.

    A second writer would take the first one's calls in flight for orphans. The kernel releases
    the lock when the process ends, however it ends.

    Raises:
        LedgerError: somebody else has it (the message names the process), or the lock file can't
            be made.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                msg = f"the ledger {path} is in use by process {holder}; one process at a time writes to a ledger"
            else:
                msg = f"the ledger {path}: its lock file can't be locked: {error.strerror}"
            raise LedgerError(msg) from None
        self._descriptor = descriptor
        # A forked child would hold the lock beyond the death of its parent.
        forget = weakref.WeakMethod(self._close)
        os.register_at_fork(after_in_child=lambda: (close := forget()) and close())

    def release(self) -> None:
        """Let go; the second time does nothing. The file stays: removing it would race with the next holder."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"the ledger {path}: its lock file can't be opened: {error.strerror}"
        raise LedgerError(msg) from None


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return text if text.isdigit() else "unknown"
