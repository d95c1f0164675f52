from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest

from switchgear import BreakerOpen, CircuitBreaker
from switchgear.clock import Moment
from switchgear.events import BreakerChanged
from switchgear.testing import ManualClock


class Down(Exception):
    pass


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def together(count: int, work: Callable[[], object]) -> list[BaseException]:
    """Do *work* in *count* threads at once; return what they raised."""
    barrier = threading.Barrier(count)
    raised: list[BaseException] = []

    def come() -> None:
        barrier.wait(30)
        try:
            work()
        except (Down, BreakerOpen) as error:
            raised.append(error)

    threads = [threading.Thread(target=come) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised


def half_open(probes: int) -> CircuitBreaker:
    """Return a breaker that lets *probes* trial calls through."""
    clock = ManualClock()
    breaker = CircuitBreaker("svc", failure_threshold=1, probes=probes, success_threshold=99, clock=clock)
    breaker.acquire().failure()
    clock.advance(120)
    return breaker


def test_breaker_17_threads_get_their_number_of_probes() -> None:
    """Of 64 at once two run and 62 are rejected; nobody waits for them."""
    breaker = half_open(2)
    inside, rejected, go_on = threading.Semaphore(0), threading.Semaphore(0), threading.Event()
    ran: list[int] = []

    def probe() -> None:
        ran.append(1)
        inside.release()
        assert go_on.wait(30)

    def come() -> None:
        try:
            breaker.call(probe)
        except BreakerOpen:
            rejected.release()
            raise

    def open_the_gate() -> None:
        for _ in range(2):
            assert inside.acquire(timeout=30)
        for _ in range(62):
            assert rejected.acquire(timeout=30)
        go_on.set()

    gate = threading.Thread(target=open_the_gate)
    gate.start()
    raised = together(64, come)
    gate.join(30)
    assert len(ran) == 2
    assert [type(error) for error in raised] == [BreakerOpen] * 62


async def test_breaker_18_tasks_and_threads_share_the_probes() -> None:
    """Of 500 tasks and 8 threads at once two run."""
    breaker = half_open(2)
    go_on = asyncio.Event()
    ran: list[int] = []

    async def probe() -> None:
        ran.append(1)
        await go_on.wait()

    tasks = [asyncio.create_task(breaker.protect(probe)()) for _ in range(500)]
    await asyncio.sleep(0)
    raised = await asyncio.to_thread(together, 8, lambda: breaker.call(ran.append, 2))
    go_on.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert ran == [1, 1]
    assert len(raised) == 8
    assert sum(isinstance(one, BreakerOpen) for one in outcomes) == 498


def test_breaker_19_calls_run_side_by_side() -> None:
    """Eight calls that wait for each other can only end if no lock is held during a call."""
    breaker = CircuitBreaker("svc")
    barrier = threading.Barrier(8)
    assert together(8, lambda: breaker.call(barrier.wait, 30)) == []
    assert breaker.stats().calls == 8


def test_breaker_20_threads_that_fail_at_once_open_once() -> None:
    """Sixty-four failures cause one event."""
    breaker = CircuitBreaker("svc", failure_threshold=5)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    barrier = threading.Barrier(64)

    def fails() -> None:
        barrier.wait(30)
        raise Down

    raised = together(64, lambda: breaker.call(fails))
    assert [type(error) for error in raised] == [Down] * 64
    assert [(event.old, event.new, event.opened_times) for event in seen] == [("closed", "open", 1)]
    assert breaker.stats().opened_at == seen[0].at / 1_000_000


def test_breaker_38_events_of_many_threads_come_in_order() -> None:
    """Each change begins where the one before ended, and none is lost."""
    breaker = CircuitBreaker("svc")
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)

    def toggles() -> None:
        for _ in range(50):
            breaker.force_open()
            breaker.reset()

    together(8, toggles)
    assert all(before.new == after.old for before, after in itertools.pairwise(seen))
    assert seen[-1].new == "closed"


def test_no_success_is_lost_between_threads() -> None:
    """What eight threads note without the lock is counted to the last one."""
    breaker = CircuitBreaker("svc", window=1_000_000)
    work = breaker.protect(time.monotonic)

    def works() -> None:
        for _ in range(2000):
            work()

    together(8, works)
    assert breaker.stats().calls == 16_000


def test_a_stream_that_is_collected_while_the_lock_is_held_is_no_deadlock() -> None:
    """Garbage collection closes it wherever it strikes; here a clock that is read under the lock brings it about."""

    class Collecting(ManualClock):
        collects = False

        def moment(self) -> Moment:
            if self.collects:
                gc.collect()
            return super().moment()

    clock = Collecting()
    breaker = CircuitBreaker("svc", failure_threshold=1, clock=clock)

    @breaker.protect
    def items() -> Generator[int, None, None]:
        yield 1

    class Cycle:
        def __init__(self) -> None:
            self.me = self
            self.stream = items()
            next(self.stream)

    permit = breaker.acquire()
    gc.disable()
    Cycle()
    clock.collects = True
    permit.failure()
    clock.collects = False
    gc.enable()
    assert breaker.stats().state == "open"
    assert breaker.stats().probes == 0
