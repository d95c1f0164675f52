from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from switchgear.clock import SystemClock
from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BudgetCrossed
from switchgear.ledger import Ledger
from switchgear.ledger.access import alone, beside, looking
from switchgear.ledger.backup import backup, restore
from switchgear.ledger.engine import reading
from switchgear.ledger.erase import erase_job
from switchgear.ledger.home import home_of
from switchgear.ledger.postgres_books import PostgresBooks
from switchgear.ledger.verify import repair, verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.conftest import Rows

    from switchgear.ledger.engine import Durability
    from switchgear.testing import ManualClock

CROWD = """
import sys
from switchgear.calls import Attribution, Call, Usage, Refusal
from switchgear.clock import SystemClock
from switchgear.ledger import Ledger
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
url, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Ledger.open(url, clock=SystemClock()) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    commits = []
    for number in range(count):
        call = Call(id=f"{me}-{number}", service="openai", endpoint="/v1", model=f"m{number * 7 % 3}",
                    attribution=Attribution(job=f"job-{(number * 5 + len(me)) % 4}", layer=f"l{number % 2}"),
                    bound=Usage(input_tokens=10, output_tokens=5))
        commits.append(ledger.reserve(AttemptReserved(
            call=call, cost=160, price_version=None, started_at=number * 100_000_000, waited_us=2)))
        commits.append(ledger.settle(AttemptSettled(
            call_id=call.id, attempt=1, status="ok" if number % 3 else "failed", usage=Usage(input_tokens=9), cost=7,
            price_version=None, estimated=False, http_status=200, error=None, model=None, ttft_us=None, duration_us=3)))
        if number % 10 == 0:
            commits[-1].wait()
    for commit in commits:
        commit.wait()
print("done", flush=True)
"""


@pytest.fixture
def url(make_postgres: Callable[[], str]) -> str:
    """The URL of an empty schema."""
    return make_postgres()


@pytest.fixture
def opened(url: str, clock: ManualClock) -> Iterator[Callable[[], Ledger]]:
    """Opens the ledger once more, as another process would."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Ledger.open(url, clock=clock))


def books_of(ledger: Ledger) -> PostgresBooks:
    """Return what writes to *ledger*."""
    books = ledger._writer._books  # type: ignore[union-attr]  # noqa: SLF001 - it has no other way to die
    assert isinstance(books, PostgresBooks)
    return books


def die(ledger: Ledger) -> None:
    """Let the server see what it sees when the process of *ledger* is killed."""
    books_of(ledger)._connection.close()  # noqa: SLF001 - as above


def sweep(ledger: Ledger, clock: ManualClock) -> None:
    """Let *ledger* look for orphans once, and wait until it has."""
    clock.advance(2)
    ledger.sweep(clock.moment())
    ledger.record(BudgetCrossed(budget="b", value=None, threshold=0.5, used=1, limit=2, unit="usd", at=1)).wait()


def test_many_processes_write_and_every_sum_is_right(url: str) -> None:
    """Four processes on the same sums, a job erased and the sums verified meanwhile: nothing is lost or doubled."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CROWD, url, "p" * (number + 1), "200"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    with looking(url) as watching, beside(url) as working:
        assert verify(watching).sound
        erase_job(working, "job-1", clock=SystemClock(), by="ann")
        assert verify(watching).sound
    for process in processes:
        output, _ = process.communicate(timeout=30)
        assert (output, process.returncode) == ("done\n", 0)

    with looking(url) as engine:
        found = verify(engine)
        with reading(engine) as connection:
            sums = connection.execute(text("SELECT sum(calls), sum(cost), sum(waited_us) FROM rollups")).one()
    assert found.sound
    assert found.attempts == 800
    assert tuple(sums) == (800, 800 * 7, 800 * 2)


def test_starts_at_once_make_one_ledger(url: str, clock: ManualClock) -> None:
    """Of many processes that find no ledger one makes it, and the others find it made."""
    gate = threading.Barrier(6)
    failures: list[BaseException] = []

    def start() -> None:
        gate.wait()
        try:
            Ledger.open(url, clock=clock).close()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_only_the_dead_leave_orphans(opened: Callable[[], Ledger], rows: Rows) -> None:
    """A start settles what a dead process left on the wire, and leaves alone what live ones have there."""
    dead, alive = opened(), opened()
    dead.reserve(rows.reserved("lost")).wait()
    alive.reserve(rows.reserved("flying")).wait()
    die(dead)

    late = opened()

    assert (alive.orphans, late.orphans) == (0, 1)
    assert [late.reader.call(name)[0].status for name in ("lost", "flying")] == ["orphaned", "reserved"]
    alive.settle(rows.settled("flying", cost=5)).wait()
    assert late.reader.totals()[0].cost == 1_005


def test_the_living_settle_what_the_dead_left(opened: Callable[[], Ledger], rows: Rows, clock: ManualClock) -> None:
    """A process that goes on sees at its second look that another one is gone; its own calls stay on the wire."""
    dead, alive, other = opened(), opened(), opened()
    dead.reserve(rows.reserved("lost")).wait()
    alive.reserve(rows.reserved("flying")).wait()
    die(dead)

    sweep(alive, clock)
    assert alive.reader.call("lost")[0].status == "reserved"
    for ledger in (alive, other, other):
        sweep(ledger, clock)

    assert [alive.reader.call(name)[0].status for name in ("lost", "flying")] == ["orphaned", "reserved"]
    assert [event.what for event in alive.reader.events(kind="orphans_settled")] == [{"attempts": 1, "cost": 1_000}]


def test_a_sweep_is_not_made_too_often(opened: Callable[[], Ledger], rows: Rows, clock: ManualClock) -> None:
    """However often it is asked for, it looks every two seconds."""
    dead, alive = opened(), opened()
    dead.reserve(rows.reserved("lost")).wait()
    die(dead)

    for _ in range(9):
        alive.sweep(clock.moment())
    alive.reserve(rows.reserved("other")).wait()

    assert alive.reader.call("lost")[0].status == "reserved"


def test_a_lost_connection_is_found_again(
    url: str, opened: Callable[[], Ledger], rows: Rows, postgres: str, clock: ManualClock
) -> None:
    """When the server has cut the connection, one batch may fail; the next takes connection and seat again."""
    ledger = opened()
    ledger.reserve(rows.reserved("flying")).wait()
    with psycopg.connect(host=postgres, user="postgres", autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s",
            (books_of(ledger)._connection.info.backend_pid,),  # noqa: SLF001 - the one to be cut
        )
    with pytest.raises(LedgerError, match=r"no connection to the server|shutting down|terminating connection"):
        ledger.reserve(rows.reserved("refused")).wait()
    assert [ledger.healthy] == [False]

    ledger.reserve(rows.reserved("next")).wait()

    assert [ledger.healthy] == [True]
    with Ledger.open(url, clock=clock) as other_ledger:
        assert other_ledger.orphans == 0
    assert {row.call_id for row in ledger.reader.calls().items} == {"flying", "next"}


def test_a_sweep_finds_a_lost_connection_first(opened: Callable[[], Ledger], rows: Rows, clock: ManualClock) -> None:
    """A connection that was lost while nobody called is taken again before the next call needs it."""
    ledger = opened()
    die(ledger)
    sweep(ledger, clock)

    ledger.reserve(rows.reserved()).wait()

    assert ledger.healthy


def test_who_needs_it_alone_says_who_has_it(url: str, opened: Callable[[], Ledger]) -> None:
    """Repairs, imports and upgrades wait for no gateway, and gateways not for them: each names the other."""
    writer = opened()
    with pytest.raises(LedgerError, match=r"in use by switchgear \d+ on .*; stop it first"), alone(url):
        raise AssertionError
    writer.close()

    with alone(url) as engine:
        assert repair(engine, now_us=1, by="ann").sound
        with pytest.raises(LedgerError, match=r"in use by switchgear \d+ on .*, which needs it alone"):
            opened()
    opened()


def test_readers_need_no_seat(url: str, opened: Callable[[], Ledger], clock: ManualClock) -> None:
    """Whoever only reads disturbs nobody, and can't write."""
    opened()
    with Ledger.open(url, clock=clock, writable=False) as reader:
        assert reader.reader.calls().items == ()
    with pytest.raises(LedgerError, match="read-only"), looking(url) as engine, engine.begin() as connection:
        connection.execute(text("DELETE FROM attempts"))


@pytest.mark.parametrize(("durability", "waits"), [("process", "off"), ("power", "on")])
def test_durability_is_set_on_the_server(url: str, durability: Durability, waits: str) -> None:
    """``process`` does not wait for the server's disk, ``power`` does."""
    engine = home_of(url).open(durability=durability)
    with reading(engine) as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == waits
    engine.dispose()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (
            "postgresql+psycopg://me:hush@127.0.0.1:1/db",
            r"db at 127\.0\.0\.1:1: no connection to the server",
        ),
        ("postgresql+psycopg://me:hu@sh@127.0.0.1:1/db", "must be written with %40"),
        ("postgresql+psycopg2://me:hush@db/ledger", r"not postgresql\+psycopg2://\.\.\."),
        ("postgresql+psycopg://me:hush@db:port/ledger", "not a URL"),
    ],
)
def test_no_error_tells_the_password(address: str, says: str, clock: ManualClock) -> None:
    """What is wrong with an address is told in one line, without what is secret in it."""
    with pytest.raises(LedgerError, match=says) as raised:
        Ledger.open(address, clock=clock)

    told = repr(raised.value) + repr(raised.value.__cause__)
    assert not any(part in told for part in ("hush", "hu@", "sh@"))
    assert "\n" not in str(raised.value)


def test_what_the_server_refuses_is_told(postgres: str, clock: ManualClock) -> None:
    """What a server says to a new connection is the error."""
    with pytest.raises(LedgerError, match=r'the ledger nowhere at /.*: database "nowhere" does not exist$'):
        Ledger.open(f"postgresql+psycopg://postgres:hush@/nowhere?host={postgres}", clock=clock)


def test_copies_are_made_by_the_server_s_own_tools(url: str, tmp_path: Path) -> None:
    """Backup and restore of files name the tools that do it, and make no file."""
    for work in (
        lambda: backup(url, tmp_path / "copy.db"),
        lambda: restore(tmp_path / "copy.db", url, stamp="now", by="somebody", now_us=0),
    ):
        with pytest.raises(ConfigError, match=r"pg_dump .* pg_restore"):
            work()
    assert list(tmp_path.iterdir()) == []


def test_letters_that_it_has_no_place_for(opened: Callable[[], Ledger], rows: Rows) -> None:
    """A NUL in a name is recorded as the sign for an unknown letter, and the call goes on."""
    ledger = opened()
    ledger.reserve(rows.reserved(model="gpt\0", job="a\0", tags=(("te\0am", "re\0d"),))).wait()
    ledger.settle(rows.settled()).wait()

    [row] = ledger.reader.call("call-1")
    assert (row.model, row.job, row.tags) == ("gpt\ufffd", "a\ufffd", {"te\ufffdam": "re\ufffdd"})
    assert ledger.spend(since_us=0, match={"tag.te\ufffdam": "re\ufffdd"})[None].cost == 300


def test_one_bad_record_fails_alone_on_the_server(opened: Callable[[], Ledger], rows: Rows) -> None:
    """A record that can't be written raises at its own commit; its neighbours are durable."""
    ledger = opened()
    ledger.reserve(rows.reserved("known")).wait()
    good = [ledger.reserve(rows.reserved("good"))]
    bad = [
        (ledger.reserve(rows.reserved("known")), "duplicate key"),
        (ledger.reserve(rows.reserved("huge", cost=1 << 70)), "out of range"),
        (ledger.refuse(rows.refused("long", model="".join(map(chr, range(5_000, 9_000))))), "index row"),
        (ledger.settle(rows.settled("known", status="reserved")), "does not end as 'reserved'"),
        (ledger.settle(rows.settled("nobody")), "attempt 1 of call nobody is not in the ledger"),
    ]
    good.append(ledger.settle(rows.settled("good")))

    for commit in good:
        commit.wait(10)
    for commit, why in bad:
        with pytest.raises(LedgerError, match=why):
            commit.wait(10)
    assert ledger.healthy
    assert {row.call_id: row.status for row in ledger.reader.calls().items} == {"known": "reserved", "good": "ok"}


def test_without_the_package_it_says_what_to_install() -> None:
    """A URL of PostgreSQL without psycopg is answered with the extra to install."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from switchgear.clock import SystemClock\nfrom switchgear.errors import ConfigError\n"
        "from switchgear.ledger import Ledger\n"
        "try:\n    Ledger.open('postgresql+psycopg://me@db/ledger', clock=SystemClock())\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert 'pip install "switchgear[postgres]"' in answer.stdout
