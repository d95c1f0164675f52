from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.ledger import Ledger
from switchgear.ledger.access import alone, looking
from switchgear.ledger.backup import backup, restore
from switchgear.ledger.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.conftest import Rows

    from switchgear.testing import ManualClock


@pytest.fixture
def url(tmp_path: Path, clock: ManualClock, rows: Rows) -> str:
    """The address of a ledger with one refused call."""
    address = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(address, clock=clock) as ledger:
        ledger.refuse(rows.refused("first")).wait()
    return address


def calls(url: str) -> list[str]:
    """Return the calls of a ledger, newest first."""
    with looking(url) as engine:
        from switchgear.ledger.reader import LedgerReader

        return [row.call_id for row in LedgerReader(engine).calls(limit=10_000).items]


def test_a_backup_is_one_moment_of_a_ledger_in_use(url: str, tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """While somebody writes, the copy is complete, adds up, and is one file."""
    stop = threading.Event()
    copy = tmp_path / "copy.db"
    with Ledger.open(url, clock=clock) as ledger:

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                ledger.refuse(rows.refused(f"call-{number}")).wait()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            size = backup(url, copy)
        finally:
            stop.set()
            writer.join()

    with looking(f"sqlite:///{copy}") as engine:
        assert verify(engine).sound
    assert size == copy.stat().st_size
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    assert set(calls(f"sqlite:///{copy}")) <= set(calls(url))


def test_a_backup_overwrites_nothing(url: str, tmp_path: Path) -> None:
    """A file that exists is left as it is."""
    copy = tmp_path / "copy.db"
    copy.write_text("mine")

    with pytest.raises(FileExistsError):
        backup(url, copy)
    assert copy.read_text() == "mine"


def test_a_backup_that_fails_leaves_nothing(url: str, tmp_path: Path) -> None:
    """Half a copy is no copy."""

    def fail(done: int, every: int) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        backup(url, tmp_path / "copy.db", progress=fail)
    with pytest.raises(LedgerError, match="can't be written: No such file or directory"):
        backup(url, tmp_path / "nowhere" / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_restored_ledger_is_the_old_one(url: str, tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """What was recorded after the backup is gone from the ledger, but not lost; the way back is the same way."""
    copy = tmp_path / "copy.db"
    backup(url, copy)
    with Ledger.open(url, clock=clock) as ledger:
        ledger.refuse(rows.refused("second")).wait()

    count, aside = restore(copy, url, stamp="now", by="me", now_us=1)

    assert (count, calls(url)) == (1, ["first"])
    assert aside is not None
    assert calls(f"sqlite:///{aside}") == ["second", "first"]
    restore(aside, url, stamp="later", by="me", now_us=1)
    assert calls(url) == ["second", "first"]
    with Ledger.open(url, clock=clock) as ledger:
        ledger.refuse(rows.refused("third")).wait()


def test_a_damaged_ledger_can_be_replaced(url: str, tmp_path: Path, clock: ManualClock) -> None:
    """That is what a backup is for."""
    copy = tmp_path / "copy.db"
    backup(url, copy)
    (tmp_path / "ledger.db").write_bytes(b"garbage" * 1000)

    restore(copy, url, stamp="now", by="me", now_us=1)

    assert calls(url) == ["first"]


def test_a_missing_ledger_is_made(url: str, tmp_path: Path) -> None:
    """Restored to a new place there is no old ledger to keep."""
    assert restore(tmp_path / "ledger.db", f"sqlite:///{tmp_path}/new.db", stamp="now", by="me", now_us=1) == (1, None)
    assert calls(f"sqlite:///{tmp_path}/new.db") == ["first"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"garbage" * 1000, "not a database"), (b"", "is empty")],
)
def test_only_a_sound_ledger_is_restored(content: bytes | None, said: str, url: str, tmp_path: Path) -> None:
    """A file that is no ledger is refused, and the ledger is what it was."""
    bad = tmp_path / "bad.db"
    if content is not None:
        bad.write_bytes(content)

    with pytest.raises(LedgerError, match=said):
        restore(bad, url, stamp="now", by="me", now_us=1)
    assert calls(url) == ["first"]
    assert not list(tmp_path.glob("*restor*"))


def test_a_damaged_backup_is_found(url: str, tmp_path: Path) -> None:
    """A page of garbage in the middle is found before anything is replaced."""
    copy = tmp_path / "copy.db"
    backup(url, copy)
    data = bytearray(copy.read_bytes())
    data[4096 * 3 : 4096 * 5] = b"\x55" * 8192
    copy.write_bytes(data)

    with pytest.raises(LedgerError, match="damaged"):
        restore(copy, url, stamp="now", by="me", now_us=1)
    assert calls(url) == ["first"]


def test_a_ledger_in_use_is_not_replaced(url: str, tmp_path: Path, clock: ManualClock) -> None:
    """As long as a process writes, nobody else works on the ledger alone."""
    copy = tmp_path / "copy.db"
    backup(url, copy)
    with Ledger.open(url, clock=clock):
        with pytest.raises(LedgerError, match="in use by process"):
            restore(copy, url, stamp="now", by="me", now_us=1)
        with pytest.raises(LedgerError, match="in use by process"), alone(url):
            pass


@pytest.mark.parametrize("work", [backup, lambda url, path: restore(path, url, stamp="x", by="me", now_us=1)])
def test_a_ledger_in_memory_has_no_file(work: object, tmp_path: Path) -> None:
    """Tools that work on files say so."""
    assert callable(work)
    with pytest.raises(LedgerError, match="kept in memory"):
        work("sqlite://", tmp_path / "copy.db")


def test_no_ledger_yet(tmp_path: Path) -> None:
    """Looking at a ledger does not make one."""
    with pytest.raises(LedgerError, match="does not exist yet"), looking(f"sqlite:///{tmp_path}/none.db"):
        pass
    assert list(tmp_path.iterdir()) == []
