from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.ledger.engine import open_engine
from switchgear.ledger.home import books_of
from switchgear.ledger.migrate import check
from switchgear.ledger.reader import LedgerReader
from switchgear.ledger.writer import Writer
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty ledger in a file."""
    opened = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    check(opened)
    yield opened
    opened.dispose()


class Hold:
    """Stops the writer inside its first COMMIT, so that what is submitted meanwhile queues up."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._inside = threading.Event()
        self._go_on = threading.Event()
        self.commits = 0
        connection.set_trace_callback(self._trace)

    def _trace(self, statement: str) -> None:
        if statement == "COMMIT":
            self.commits += 1
            self._inside.set()
            self._go_on.wait(10)

    def wait(self) -> None:
        assert self._inside.wait(10)

    def release(self) -> None:
        self._go_on.set()


@pytest.fixture
def connection(engine: Engine) -> sqlite3.Connection:
    """The connection that the writer is going to write over."""
    with closing(engine.raw_connection()) as pooled:
        raw = pooled.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


@pytest.fixture
def writer(connection: sqlite3.Connection, engine: Engine) -> Iterator[Writer]:
    """A writer over *connection*."""
    with closing(Writer(books_of(engine), clock=ManualClock())) as made:
        yield made


@pytest.fixture
def hold(connection: sqlite3.Connection, writer: Writer) -> Iterator[Hold]:
    """Holds the first transaction of *writer*."""
    made = Hold(connection)
    yield made
    made.release()


@pytest.fixture
def reader(engine: Engine) -> LedgerReader:
    """Reads what was written."""
    return LedgerReader(engine)


def test_a_committed_record_is_there(writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """When the commit is done, other connections see the row."""
    writer.submit(rows.reserved()).wait()

    assert [row.status for row in reader.call("call-1")] == ["reserved"]


async def test_a_task_awaits_its_commit(writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """A commit can be awaited, and awaited again."""
    commit = writer.submit(rows.reserved())
    await commit.done()
    await commit.done()

    assert len(reader.call("call-1")) == 1


def test_threads_share_transactions(connection: sqlite3.Connection, writer: Writer, rows: Rows) -> None:
    """What queues up behind a transaction is committed together, and each thread gets its answer."""
    transactions: list[str] = []
    connection.set_trace_callback(transactions.append)
    gate = threading.Barrier(16)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        gate.wait()
        try:
            for turn in range(10):
                writer.submit(rows.reserved(f"{number}-{turn}")).wait(10)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.set_trace_callback(None)

    assert failures == []
    assert transactions.count("COMMIT") < 160


def test_what_waits_is_one_transaction(hold: Hold, writer: Writer, rows: Rows) -> None:
    """While a transaction is under way the others queue up and become the next one."""
    first = writer.submit(rows.reserved("first"))
    hold.wait()
    others = [writer.submit(rows.reserved(f"other-{number}")) for number in range(100)]
    hold.release()
    for commit in [first, *others]:
        commit.wait(10)

    assert hold.commits == 2


async def test_tasks_share_transactions(writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """Five hundred tasks get their answers, and every row is there."""

    async def work(number: int) -> None:
        await writer.submit(rows.reserved(f"call-{number}")).done()
        await writer.submit(rows.settled(f"call-{number}")).done()

    await asyncio.gather(*(work(number) for number in range(500)))

    assert reader.totals()[0].ok == 500
    assert reader.open_calls() == 0


async def test_a_cancelled_waiter_withdraws_nothing(
    hold: Hold, writer: Writer, reader: LedgerReader, rows: Rows
) -> None:
    """Cancelling a task that waits leaves the record to be written, and the others served."""
    left = writer.submit(rows.reserved("left"))
    kept = asyncio.ensure_future(left.done())
    cancelled = asyncio.ensure_future(left.done())
    await asyncio.to_thread(hold.wait)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    hold.release()
    await kept

    assert len(reader.call("left")) == 1


def test_a_commit_of_a_dead_loop_disturbs_nobody(hold: Hold, writer: Writer, rows: Rows) -> None:
    """A loop that closed while its task waited is passed over."""
    commit = writer.submit(rows.reserved())
    hold.wait()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(commit.done(), timeout=0)

    asyncio.run(give_up())
    hold.release()
    commit.wait(10)
    writer.submit(rows.settled()).wait(10)

    assert writer.healthy


def test_waiting_ends_with_the_time_out(hold: Hold, writer: Writer, rows: Rows) -> None:
    """A wait with a time-out says that the record may still be written."""
    commit = writer.submit(rows.reserved())

    with pytest.raises(TimeoutError, match="not committed within 0"):
        commit.wait(0)
    hold.release()
    commit.wait(10)


def test_one_bad_record_fails_alone(hold: Hold, writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """A record that can't be written raises at its own commit; its neighbours are durable."""
    writer.submit(rows.reserved("known"))
    hold.wait()
    good = [writer.submit(rows.reserved("good-1"))]
    twice = writer.submit(rows.reserved("known"))
    huge = writer.submit(rows.reserved("huge", cost=1 << 70))
    strange = writer.submit(rows.settled("known", status="reserved"))
    good += [writer.submit(rows.reserved("good-2")), writer.submit(rows.settled("good-1"))]
    hold.release()
    for commit in good:
        commit.wait(10)

    for commit, why in [(twice, "UNIQUE"), (huge, "OverflowError"), (strange, "does not end as 'reserved'")]:
        with pytest.raises(LedgerError, match=why):
            commit.wait(10)
    assert writer.healthy
    assert reader.totals()[0].calls == 1
    assert {row.call_id: row.status for row in reader.calls().items} == {
        "known": "reserved",
        "good-1": "ok",
        "good-2": "reserved",
    }


def test_settling_twice_counts_once(hold: Hold, writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """The first settlement stands; another one, in the same transaction or later, changes nothing."""
    writer.submit(rows.reserved())
    hold.wait()
    writer.submit(rows.settled(cost=300))
    again = writer.submit(rows.settled(cost=999, status="failed"))
    hold.release()
    again.wait(10)
    writer.submit(rows.settled(cost=999)).wait(10)

    [total] = reader.totals()
    assert (total.calls, total.ok, total.cost) == (1, 1, 300)
    assert [row.cost for row in reader.call("call-1")] == [300]
    assert hold.commits == 3


def test_settling_the_unknown_is_an_error(writer: Writer, rows: Rows) -> None:
    """A settlement without its reservation says so and harms no other record of the batch."""
    lost = writer.submit(rows.settled("nobody"))
    kept = writer.submit(rows.reserved())

    with pytest.raises(LedgerError, match="attempt 1 of call nobody is not in the ledger"):
        lost.wait()
    kept.wait()


def test_many_records_in_one_transaction(hold: Hold, writer: Writer, reader: LedgerReader, rows: Rows) -> None:
    """Batches that fill no portion evenly arrive complete: 64 + 8 + 1 and more."""
    writer.submit(rows.reserved("first"))
    hold.wait()
    for number in range(147):
        writer.submit(rows.reserved(f"call-{number}", job=f"job-{number}", layer=f"layer-{number}"))
        writer.submit(rows.settled(f"call-{number}"))
    hold.release()
    writer.submit(rows.settled("first")).wait(10)

    assert sum(total.ok for total in reader.totals(by=("layer",))) == 148
    assert len(reader.job_totals(limit=1_000)) == 148


def test_a_full_disk_is_told_and_survived(
    connection: sqlite3.Connection, writer: Writer, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk every waiting commit says so, the log once; with room again the writer works again."""
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}").close()
    for call_id in ("fills", "fills-too"):
        commit = writer.submit(rows.reserved(call_id, model="x" * 200_000))
        with pytest.raises(LedgerError, match="the disk is full"):
            commit.wait()

    assert len(caplog.records) == 1
    assert "the disk is full" in str(writer.last_error)
    assert [writer.healthy] == [False]

    connection.execute("PRAGMA max_page_count = 1000000").close()
    writer.submit(rows.reserved("fits", model="x" * 200_000)).wait()

    assert (writer.healthy, writer.last_error) == (True, None)


def test_a_full_disk_fails_the_rest_of_a_batch(
    connection: sqlite3.Connection, hold: Hold, writer: Writer, reader: LedgerReader, rows: Rows
) -> None:
    """If the disk fills up while a batch is saved row by row, what is durable is told from what is not."""
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}").close()
    writer.submit(rows.reserved("known"))
    hold.wait()
    small = writer.submit(rows.reserved("small"))
    bad = writer.submit(rows.reserved("known"))
    large = writer.submit(rows.reserved("large", model="x" * 200_000))
    hold.release()
    small.wait(10)

    with pytest.raises(LedgerError, match="UNIQUE"):
        bad.wait(10)
    with pytest.raises(LedgerError, match="the disk is full"):
        large.wait(10)
    assert {row.call_id for row in reader.calls().items} == {"known", "small"}


def test_closing_writes_what_was_submitted(engine: Engine, reader: LedgerReader, rows: Rows) -> None:
    """Nothing that was submitted is lost by closing; closing twice does nothing."""
    writer = Writer(books_of(engine), clock=ManualClock())
    for number in range(300):
        writer.submit(rows.reserved(f"call-{number}"))
    writer.close()
    writer.close()

    assert reader.open_calls() == 300
    assert not writer.healthy
    with pytest.raises(LedgerError, match="closed"):
        writer.submit(rows.reserved())


def test_commits_keep_no_records(writer: Writer, rows: Rows) -> None:
    """A commit that somebody keeps does not keep the records of its batch alive."""
    commit = writer.submit(rows.reserved())
    commit.wait()
    batch = commit._batch  # noqa: SLF001 - memory is not visible from outside

    assert batch.records == []
