"""What the writer does while nothing can be written, and afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.events import BudgetChanged
from switchgear.ledger import books, sqlite_books
from switchgear.ledger import writer as writers
from switchgear.ledger.engine import open_engine
from switchgear.ledger.home import books_of
from switchgear.ledger.keeper import Keeper
from switchgear.ledger.migrate import check
from switchgear.ledger.reader import LedgerReader
from switchgear.ledger.writer import Writer
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

    from switchgear.ledger.books import Record

FULL = LedgerError("the disk is full")


class Disk:
    """Takes what is written, or says why it does not."""

    def __init__(self) -> None:
        self.code: int | None = None

    def enter(self, connection: sqlite3.Connection, records: Sequence[Record]) -> dict[int, LedgerError]:
        """Write, or raise as SQLite does."""
        if self.code is not None:
            error = sqlite3.OperationalError("as SQLite says it")
            error.sqlite_errorcode = self.code
            raise error
        return books.enter(connection, records)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """What the writer writes to."""
    made = Disk()
    monkeypatch.setattr(sqlite_books, "enter", made.enter)
    # Only what is submitted makes the writer try again: no test depends on time.
    monkeypatch.setattr(writers, "_RETRY", 3600)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger in a file."""
    opened = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    check(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def refusing(engine: Engine, disk: Disk) -> Iterator[Writer]:
    """A writer that lets no call go unrecorded."""
    with closing(Writer(books_of(engine), clock=ManualClock(7), on_error="refuse")) as made:
        yield made


@pytest.fixture
def allowing(engine: Engine, disk: Disk) -> Iterator[Writer]:
    """A writer that keeps calls in memory meanwhile."""
    with closing(Writer(books_of(engine), clock=ManualClock(7), on_error="allow")) as made:
        yield made


def test_a_settlement_is_kept_until_it_can_be_written(
    refusing: Writer, engine: Engine, disk: Disk, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """During an outage settlements and refusals are kept, and written with what comes next; no call is let go."""
    refusing.submit(rows.reserved()).wait()
    disk.code = sqlite3.SQLITE_FULL
    refusing.submit(rows.settled()).wait()
    refusing.submit(rows.refused("refused")).wait()
    with pytest.raises(LedgerError, match="the disk is full; free some space"):
        refusing.submit(rows.reserved("other")).wait()

    assert [refusing.healthy] == [False]
    assert refusing.outage is not None
    assert (refusing.outage.kept, refusing.outage.calls, refusing.outage.since) == (2, 0, 7_000_000)
    assert len(caplog.records) == 1

    disk.code = None
    refusing.submit(rows.reserved("next")).wait()

    assert refusing.healthy
    reader = LedgerReader(engine)
    found = {row.call_id: row.status for row in reader.calls().items}
    assert found == {"call-1": "ok", "refused": "refused", "next": "reserved"}
    [event] = reader.events(kind="ledger_recovered")
    assert (event.what["actor"], event.what["since"]) == ("switchgear", 7_000_000)
    assert "the disk is full" in str(event.what["reason"])


def test_calls_that_were_let_go_are_recorded_later(allowing: Writer, engine: Engine, disk: Disk, rows: Rows) -> None:
    """With ``allow`` calls are kept whole and in order, and counted with what they cost."""
    disk.code = sqlite3.SQLITE_READONLY
    allowing.submit(rows.reserved("a", cost=1_000)).wait()
    allowing.submit(rows.settled("a", cost=300)).wait()
    allowing.submit(rows.reserved("b", cost=None)).wait()

    outage = allowing.outage
    assert outage is not None
    assert (outage.kept, outage.calls, outage.reserved, outage.cost, outage.dropped) == (3, 2, 1_000, 300, 0)
    assert 'calls go on unrecorded (on_error = "allow"): 2' in outage.sentence

    disk.code = None
    allowing.submit(rows.settled("b", cost=None)).wait()

    reader = LedgerReader(engine)
    assert {row.call_id: (row.status, row.cost) for row in reader.calls().items} == {
        "a": ("ok", 300),
        "b": ("ok", None),
    }
    [event] = reader.events()
    assert (event.what["calls"], event.what["cost"], event.what["dropped"]) == (2, 300, 0)


def test_a_budget_is_not_changed_without_a_record(refusing: Writer, disk: Disk) -> None:
    """Who changes a budget is told that it can't be recorded."""
    disk.code = sqlite3.SQLITE_BUSY
    change = BudgetChanged(budget="b", old=1, new=2, configured=1, unit="usd", by="me", note="", at=1)

    with pytest.raises(LedgerError, match="another process keeps it locked"):
        refusing.submit(change).wait()


def test_one_bad_record_that_was_kept_harms_no_other(allowing: Writer, engine: Engine, disk: Disk, rows: Rows) -> None:
    """What can't be written for its own sake is told in the log, and the others are written."""
    disk.code = sqlite3.SQLITE_FULL
    for record in (rows.reserved("a"), rows.reserved("huge", cost=1 << 70), rows.settled("nobody"), rows.reserved("b")):
        allowing.submit(record).wait()
    disk.code = None
    allowing.submit(rows.settled("a")).wait()

    assert {row.call_id: row.status for row in LedgerReader(engine).calls().items} == {"a": "ok", "b": "reserved"}
    assert allowing.healthy


def test_a_damaged_file_is_not_written_again(refusing: Writer, engine: Engine, disk: Disk, rows: Rows) -> None:
    """Damage lasts until a restart, even if a later write would work."""
    disk.code = sqlite3.SQLITE_CORRUPT
    with pytest.raises(LedgerError, match=r"the file is damaged .* switchgear ledger restore"):
        refusing.submit(rows.reserved("a")).wait()
    disk.code = None
    with pytest.raises(LedgerError, match="the file is damaged"):
        refusing.submit(rows.reserved("b")).wait()

    assert refusing.outage is not None
    assert refusing.outage.sentence.endswith("no call goes until Switchgear is started again")
    assert LedgerReader(engine).calls().items == ()


def test_damage_that_a_reader_meets_stops_the_writer(allowing: Writer, rows: Rows) -> None:
    """What a query has found out holds for writing too."""
    found = sqlite3.DatabaseError("file is not a database")
    found.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    allowing.damaged(found)
    allowing.damaged(found)
    allowing.submit(rows.reserved()).wait()

    assert allowing.outage is not None
    assert allowing.outage.final
    assert "the file is not a database" in allowing.outage.sentence
    assert "lost with this process" in allowing.outage.sentence


def test_a_file_that_is_replaced_is_not_written(refusing: Writer, engine: Engine, rows: Rows, tmp_path: Path) -> None:
    """Another file in the ledger's place, or none, stops the writer until the old one is back."""
    path = tmp_path / "ledger.db"
    refusing.submit(rows.reserved("a")).wait()
    path.rename(tmp_path / "aside.db")
    with pytest.raises(LedgerError, match="was moved away"):
        refusing.submit(rows.reserved("b")).wait()
    path.touch()
    with pytest.raises(LedgerError, match="another file is in its place"):
        refusing.submit(rows.reserved("c")).wait()
    (tmp_path / "aside.db").replace(path)
    refusing.submit(rows.reserved("d")).wait()

    assert {row.call_id for row in LedgerReader(engine).calls().items} == {"a", "d"}


def test_what_is_lost_at_the_end_is_said(
    engine: Engine, disk: Disk, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """A writer that closes in an outage tries once more, and logs how much is lost."""
    with closing(Writer(books_of(engine), clock=ManualClock(), on_error="allow")) as writer:
        disk.code = sqlite3.SQLITE_IOERR
        writer.submit(rows.reserved()).wait()

    assert "1 records could not be written and are lost" in caplog.messages[-1]


def test_memory_is_bounded(rows: Rows) -> None:
    """Of calls beyond the bound only their number and cost is kept, and their settlements are not waited for."""
    keeper = Keeper("allow", most=2)
    keeper.begin("full", at=1, final=False)
    keeper.keep([rows.reserved(str(number), cost=100) for number in range(5)], FULL)
    keeper.keep([rows.settled(str(number), cost=10) for number in range(4)], FULL)
    keeper.keep([rows.refused(f"r{number}") for number in range(3)], FULL)

    outage = keeper.outage
    assert outage is not None
    assert (outage.kept, outage.calls, outage.reserved, outage.cost) == (6, 5, 500, 40)
    assert (outage.dropped, outage.dropped_cost, outage.lost) == (3, 20, 1)
    assert "3 dropped for good" in outage.sentence

    keeper.drop(6)
    assert keeper.first(10) == []
    keeper.keep([rows.reserved("later"), rows.refused("r")], FULL)
    assert len(keeper.first(10)) == 2


def test_settlements_are_kept_whatever_the_bound(rows: Rows) -> None:
    """Calls that are on record as reserved are settled after the outage, however many there are."""
    keeper = Keeper("refuse", most=0)
    keeper.begin("full", at=1, final=False)
    problems = keeper.keep([rows.settled("a"), rows.reserved("b"), rows.settled("c")], FULL)

    assert problems == {1: FULL}
    assert len(keeper.first(10)) == 2
