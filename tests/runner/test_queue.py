from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from switchgear.clients.governor import Governor
from switchgear.runner import Runner, RunnerError, layer, log, pipeline
from switchgear.runner.database import open_database
from switchgear.runner.intake import Intake
from switchgear.runner.journal import Journal
from switchgear.runner.naming import new_run
from switchgear.runner.place import Place, gone, here
from switchgear.runner.queue import RunQueue
from switchgear.runner.scheduling import Schedules
from switchgear.runner.store import RunStore
from switchgear.runner.views import Schedule

Opener = Callable[..., Runner]
SECOND = 1_000_000


class Count:
    """How many layers run at once."""

    lock = threading.Lock()
    now = 0
    most = 0
    order: list[int] = []  # noqa: RUF012 - the runs in the order in which they began


@layer()
async def busy(number: int) -> int:
    """Be counted."""
    with Count.lock:
        Count.now += 1
        Count.most = max(Count.most, Count.now)
        Count.order.append(number)
    await asyncio.sleep(0.01)
    with Count.lock:
        Count.now -= 1
    return number


@pipeline()
async def many(number: int) -> int:
    """One layer."""
    return await busy(number)


@pipeline(max_concurrency=1)
async def single(number: int) -> int:
    """One layer, one run at a time."""
    return await busy(number)


@layer()
async def long(seconds: float) -> str:
    """Take a while."""
    log("it takes a while")
    await asyncio.sleep(seconds)
    return "over"


@pipeline()
async def lasting(seconds: float) -> str:
    """Two layers that take a while."""
    await long(seconds)
    return await long(0.0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Give a database of the runner, without DBOS."""
    one = open_database(f"sqlite:///{tmp_path}/runs.db")
    yield one
    one.dispose()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Count.now = Count.most = 0
    Count.order.clear()


def submit(engine: Engine, count: int, *, priority: int = 0, now: int = 0, of: str = "many") -> tuple[str, ...]:
    """Put runs into the queue."""
    known = {"many": many, "single": single}[of]
    inputs: list[tuple[tuple[int], dict[str, int]]] = [((number,), {}) for number in range(count)]
    return Intake(RunStore(engine)).submit(
        known, inputs, jobs=None, priority=priority, budget_usd=None, run=None, now=now
    )


def claimed(queue: RunQueue, *, now: int = 10, most: int = 3) -> list[str]:
    """Take as many runs as may go."""
    found = []
    while (row := queue.claim(now=now, max_concurrency=most, limits={"many": None, "single": 1})) is not None:
        found.append(row.run)
    return found


def test_a_hundred_runs_at_once_go_three_by_three(opened: Opener) -> None:
    """A hundred runs are submitted in one go; never more than three run at once, and all end well."""
    with opened(many) as runner:
        began = time.monotonic()
        runs = runner.submit_many("many", range(100))
        assert time.monotonic() - began < 1
        assert len(set(runs)) == 100
        ends = time.monotonic() + 50
        while (found := runner.capacity()).queued or found.active_runs:
            assert found.active_runs <= 3
            assert time.monotonic() < ends
            time.sleep(0.02)  # noqa: TID251, RUF100 - the runner's threads work meanwhile
        assert Counter(view.status for view in runner.list(limit=200).items) == {"ok": 100}
    assert Count.most <= 3
    assert sorted(Count.order) == list(range(100))


def test_a_worker_that_ends_gives_its_runs_back(opened: Opener, governor: Governor, tmp_path: Path) -> None:
    """On its end a worker lets a layer end; the run goes on with the next worker, from the layer after it."""
    with opened(lasting, folder=tmp_path) as runner:
        run = runner.submit("lasting", 0.5)
        cut = runner.submit("lasting", 60.0)
        while len([view for one in (run, cut) for view in runner.show(one).layers if view.status == "running"]) < 2:
            time.sleep(0.01)
        # The second one does not end in the two seconds that it is given.
    with opened(lasting, folder=tmp_path) as runner:
        view = runner.wait(run, timeout=20)
        assert (view.status, view.output) == ("ok", "over")
        assert [one.executions for one in view.layers] == [1, 1]
        runner.cancel(cut)
        assert runner.wait(cut, timeout=20).status == "cancelled"


def test_a_process_has_one_runner(opened: Opener) -> None:
    """A second runner that executes is refused; one that only looks is not."""
    with opened(many), pytest.raises(RunnerError, match="there is a runner in this process already"):
        opened(many).start()


def test_ten_thousand_runs_are_in_the_queue_in_moments(engine: Engine) -> None:
    """Submitting any number returns at once, and paging through them finds each."""
    began = time.process_time()
    runs = submit(engine, 10_000)
    assert time.process_time() - began < 8
    assert len(set(runs)) == 10_000
    capacity = RunStore(engine).capacity(now=5 * SECOND, alive_since=0, max_concurrency=3)
    assert (capacity.queued, capacity.oldest_wait_us) == (10_000, 5 * SECOND)


def test_higher_priorities_go_first_then_who_waits_longest(engine: Engine) -> None:
    """Within a priority the oldest goes first."""
    late, urgent, early = submit(engine, 1, now=5), submit(engine, 1, priority=9, now=9), submit(engine, 1, now=1)
    assert claimed(RunQueue(engine, "a")) == [urgent[0], early[0], late[0]]


def test_a_pipeline_keeps_to_its_own_limit(engine: Engine) -> None:
    """A pipeline with room for one run lets one go, and the others' runs pass by."""
    ones, others = submit(engine, 3, now=1, of="single"), submit(engine, 3, now=5)
    assert claimed(RunQueue(engine, "a")) == [ones[0], others[0], others[1]]


def test_a_worker_takes_only_what_it_knows(engine: Engine) -> None:
    """Runs of a pipeline that a worker does not have stay for the others."""
    submit(engine, 1)
    assert RunQueue(engine, "a").claim(now=10, max_concurrency=3, limits={"other": None}) is None


@settings(max_examples=8, deadline=None)
@given(workers=st.lists(st.integers(0, 3), min_size=1, max_size=14), most=st.integers(1, 4))
def test_workers_never_take_the_same_run_nor_more_than_may_go(
    tmp_path_factory: pytest.TempPathFactory, workers: list[int], most: int
) -> None:
    """Whoever asks in whatever order: each run has one worker, and at most so many are active."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('queue')}/runs.db")
    submit(engine, 10)
    queues = [RunQueue(engine, f"w{number}") for number in range(4)]
    active: dict[str, int] = {}
    for turn, number in enumerate(workers):
        row = queues[number].claim(now=10, max_concurrency=most, limits={"many": None})
        assert (row is None) == (len(active) == most)
        if row is not None:
            assert row.run not in active
            active[row.run] = number
        if turn % 3 == 2:
            run, owner = next(iter(active.items()))
            assert queues[owner].leave(run, {"status": "ok"})
            del active[run]
    engine.dispose()


def test_runs_of_the_dead_go_back_and_only_theirs(engine: Engine) -> None:
    """A silent worker's runs are queued again, in their place; a living one keeps its own, and the dead can't write."""
    submit(engine, 4)
    one, two = RunQueue(engine, "one"), RunQueue(engine, "two")
    elsewhere = Place("elsewhere", "space", 1)
    one.sign_on(elsewhere, at=0, max_concurrency=4, pipelines=["many"])
    two.sign_on(elsewhere, at=0, max_concurrency=4, pipelines=["many"])
    mine = claimed(one, most=2)
    theirs = claimed(two, most=4)
    two.beat(20 * SECOND)
    found = two.reap(silent_since=5 * SECOND, gone=gone)
    assert sorted(run for run, _ in found) == sorted(mine)
    assert not one.beat(21 * SECOND)
    assert not one.leave(mine[0], {"status": "ok"})
    assert two.claimed() == set(theirs)
    assert claimed(two, most=4) == mine


def test_the_dead_of_this_machine_are_seen_at_once() -> None:
    """A process that is not there is gone; this one, others, and those of other machines may be there."""
    mine = here()
    assert gone(mine.host, mine.space, 2**22 + 1)
    assert not gone(mine.host, mine.space, 1)
    assert not gone("elsewhere", mine.space, 2**22 + 1)
    assert not gone(mine.host, "another container", 2**22 + 1)


def test_trouble_with_runs_is_told_by_pipeline(engine: Engine) -> None:
    """What failed within the hour, and how long the longest run has been going and silent, in minutes."""
    minute = 60 * SECOND
    failed, slow, *_ = submit(engine, 3)
    queue, store, journal = RunQueue(engine, "a"), RunStore(engine), Journal(engine)
    claimed(queue)
    for run in (failed, slow):
        assert queue.take(run, run, minute) is not None
        journal.write(run, "it began", at=minute)
    journal.write(slow, "still there", at=30 * minute)
    queue.leave(failed, {"status": "failed", "ended_at": 5 * minute})
    assert store.troubles(41 * minute) == {
        "run.failed": {"many": 1.0},
        "run.minutes": {"many": 40.0},
        "run.quiet_minutes": {"many": 11.0},
    }
    assert store.troubles(66 * minute)["run.failed"] == {"many": 0.0}


def test_paused_runs_wake_when_their_time_has_come(engine: Engine) -> None:
    """A paused run with a time goes back into the queue then; one without waits for somebody."""
    runs = submit(engine, 2)
    queue = RunQueue(engine, "a")
    claimed(queue)
    queue.leave(runs[0], {"status": "paused", "due_at": 30})
    queue.leave(runs[1], {"status": "paused", "due_at": 0})
    assert queue.wake_due(29) == 0
    assert queue.wake_due(30) == 1
    assert claimed(queue, now=30) == [runs[0]]


def test_a_schedule_starts_each_occasion_once(engine: Engine) -> None:
    """Two workers that look start one run; what was missed starts once; the hour is that of the zone, over DST too."""
    start = int(dt.datetime(2026, 10, 24, 12, tzinfo=dt.UTC).timestamp()) * SECOND
    nightly = Schedule(
        name="nightly",
        pipeline="many",
        cron="0 3 * * *",
        zone="Europe/Vienna",
        input={"number": 1},
        job=None,
        budget=None,
        next_at=0,
    )
    here_, there = Schedules(engine), Schedules(engine)
    due = here_.put(nightly, start).next_at
    assert dt.datetime.fromtimestamp(due / 1e6, tz=dt.UTC).isoformat() == "2026-10-25T02:00:00+00:00"
    started: list[str] = []

    def begin(schedule: Schedule, run: str) -> None:
        assert schedule.input == {"number": 1}
        started.append(run)

    here_.start_due(due - 1, begin)
    assert started == []
    here_.start_due(due, begin)
    there.start_due(due, begin)
    assert started == ["nightly-20261025T0200"]
    there.start_due(due + 3 * 86_400 * SECOND, begin)
    here_.start_due(due + 3 * 86_400 * SECOND, begin)
    assert started == ["nightly-20261025T0200", "nightly-20261026T0200"]
    assert here_.drop("nightly")
    assert here_.all() == ()


@pytest.mark.parametrize(
    ("cron", "zone"), [("0 3 * *", "UTC"), ("61 * * * *", "UTC"), ("0 0 3 * * *", "UTC"), ("0 3 * * *", "Mars/North")]
)
def test_a_wrong_schedule_is_refused(engine: Engine, cron: str, zone: str) -> None:
    """An expression that is none, and a zone that is nowhere, are said so before anything is kept."""
    wrong = Schedule(name="x", pipeline="many", cron=cron, zone=zone, input={}, job=None, budget=None, next_at=0)
    with pytest.raises(RunnerError):
        Schedules(engine).put(wrong, 0)
    assert Schedules(engine).all() == ()


@given(st.text(max_size=60), st.integers(0, 4_000_000_000))
def test_names_of_runs_are_plain(what: str, second: int) -> None:
    """Whatever a job is called, a run's name has a date, plain characters, and no two are the same."""
    one, two = new_run(what, second * SECOND), new_run(what, second * SECOND)
    assert one != two
    assert one.isascii()
    assert one.replace("-", "").isalnum()


@pytest.mark.parametrize("url", ["sqlite://", "mysql://x", "nonsense", "sqlite:////nowhere/at/all/runs.db"])
def test_a_database_that_can_not_be_is_said(url: str) -> None:
    """What is no place for runs is told in a sentence."""
    with pytest.raises(RunnerError):
        open_database(url)
