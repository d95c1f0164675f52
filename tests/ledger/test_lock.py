from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.ledger.lock import LedgerLock

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys
from pathlib import Path
from switchgear.ledger.lock import LedgerLock
lock = LedgerLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """The refusal names the holder; ``kill -9`` of the holder frees the ledger."""
    path = tmp_path / "ledger.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LedgerError, match=rf"ledger\.db is in use by process {holder.pid};"):
            LedgerLock(path)
        holder.kill()
        holder.wait()

    LedgerLock(path).release()


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    """Two writers in one process are as bad as two processes; releasing lets the next one in."""
    path = tmp_path / "ledger.db"
    first = LedgerLock(path)
    with pytest.raises(LedgerError, match=f"in use by process {os.getpid()}"):
        LedgerLock(path)
    first.release()
    first.release()

    LedgerLock(path).release()


def test_a_holder_without_a_name(tmp_path: Path) -> None:
    """A lock file that says nothing is still a lock."""
    path = tmp_path / "ledger.db"
    lock = LedgerLock(path)
    (tmp_path / "ledger.db.lock").write_text("")
    with pytest.raises(LedgerError, match="in use by process unknown"):
        LedgerLock(path)
    lock.release()


def test_a_forked_child_does_not_hold_it(tmp_path: Path) -> None:
    """A child that outlives its parent must not keep the next start out."""
    path = tmp_path / "ledger.db"
    parent = """
import os, signal, sys
from pathlib import Path
from switchgear.ledger.lock import LedgerLock
lock = LedgerLock(Path(sys.argv[1]))
heard, tell = os.pipe()
child = os.fork()
if child == 0:
    os.write(tell, b"1")
    sys.stdin.read()
    os._exit(0)
os.read(heard, 1)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.wait()
        os.kill(child, 0)

        LedgerLock(path).release()


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """Without a place for the lock file the error names the ledger."""
    with pytest.raises(LedgerError, match="its lock file can't be opened"):
        LedgerLock(tmp_path / "missing" / "ledger.db")


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where locks don't work nobody is told that another process has one."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(LedgerError, match="its lock file can't be locked: No locks available"):
        LedgerLock(tmp_path / "ledger.db")
