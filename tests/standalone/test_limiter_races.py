from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import switchgear as sg
from switchgear.clock import Moment
from switchgear.policies import limiter as policy
from switchgear.standalone.limiter import RateLimiter
from switchgear.standalone.turnstile import Turnstile
from switchgear.testing import ManualClock


class TickingClock(ManualClock):
    """Each reading is a little later than the one before."""

    def __init__(self, step: float) -> None:
        super().__init__(0)
        self._step = step

    def moment(self) -> Moment:
        self.advance(self._step)
        return super().moment()


class HeldClock(ManualClock):
    """Sleepers stay asleep until somebody else has moved the time on."""

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until and not (wake is not None and wake.wait(0.0005)):
            pass

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        until = self.monotonic() + seconds
        while self.monotonic() < until and not (wake is not None and wake.is_set()):  # noqa: ASYNC110 - time is a fake
            await asyncio.sleep(0)


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads that change places as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def _hammer(threads: int, work: Callable[[], int]) -> int:
    """Run *work* in *threads* threads that start together; return the sum of what it returns."""
    barrier = threading.Barrier(threads)

    def run() -> int:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(threads) as pool:
        return sum(future.result() for future in [pool.submit(run) for _ in range(threads)])


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_limiter_01_sixty_four_threads_get_a_hundred(fast_switching: None) -> None:
    """Exactly the limit is admitted, however the threads interleave, and again a minute later."""
    clock = ManualClock(0)
    limiter = RateLimiter("api", requests_per_minute=100, clock=clock)
    for _ in range(3):
        admitted = _hammer(64, lambda: sum(bool(limiter.try_acquire()) for _ in range(10)))
        assert admitted == 100
        clock.advance(60)


def test_limiter_01_no_interval_of_a_minute_holds_more(fast_switching: None) -> None:
    """While time runs under 64 threads, every interval of 60 s holds at most the limit."""
    turnstile = Turnstile(
        [policy.LimitRule(name="rpm", unit="requests", limit=20, window_us=60_000_000)], TickingClock(0.1)
    )
    admitted: list[int] = []

    def work() -> int:
        for _ in range(30):
            answer, now = turnstile.ask(0, 0)
            if isinstance(answer, policy.Grant):
                admitted.append(now.mono)
        return 0

    _hammer(64, work)
    admitted.sort()
    assert len(admitted) >= 60
    for at in admitted:
        assert sum(at - 60_000_000 < other <= at for other in admitted) <= 20


async def test_limiter_02_five_hundred_tasks_get_a_hundred() -> None:
    """Tasks on one loop are admitted up to the limit, the others refused at once."""
    limiter = RateLimiter("api", requests_per_minute=100, clock=ManualClock(0))

    async def one() -> bool:
        try:
            await limiter.acquire_async(max_wait=0)
        except sg.RateLimited:
            return False
        return True

    assert sum(await asyncio.gather(*(one() for _ in range(500)))) == 100


async def test_limiter_02_threads_and_tasks_share_one_limiter(fast_switching: None) -> None:
    """Eight threads and a loop on one object get exactly the limit together."""
    limiter = RateLimiter("api", requests_per_minute=100, clock=ManualClock(0))

    async def one() -> int:
        await asyncio.sleep(0)
        return bool(limiter.try_acquire())

    threads = asyncio.to_thread(_hammer, 8, lambda: sum(bool(limiter.try_acquire()) for _ in range(20)))
    counts = await asyncio.gather(threads, *(one() for _ in range(100)))
    assert sum(counts) == 100


def test_limiter_21_contention_is_no_denial(fast_switching: None) -> None:
    """Far below the limit nobody is refused, however many ask at once."""
    limiter = RateLimiter("api", requests_per_minute=1_000_000, tokens_per_minute=10**9, clock=ManualClock(0))

    def work() -> int:
        refused = 0
        for _ in range(100):
            answer = limiter.try_acquire(10)
            if answer:
                answer.settle(5)
            else:
                refused += 1
        return refused

    assert _hammer(16, work) == 0
    stats = limiter.stats()
    assert [one.used for one in stats.limits] == [1600, 8000]
    assert (stats.in_flight, stats.admitted) == (0, 1600)


def test_places_in_flight_are_never_exceeded(fast_switching: None) -> None:
    """Blocking threads pass a cap on calls in flight one after the other, and all get their turn."""
    limiter = RateLimiter("api", concurrent=3, max_wait=3600, clock=HeldClock(0))
    lock, now, most = threading.Lock(), 0, 0

    def work() -> int:
        nonlocal now, most
        for _ in range(5):
            with limiter.acquire():
                with lock:
                    now += 1
                    most = max(most, now)
                with lock:
                    now -= 1
        return 1

    assert _hammer(16, work) == 16
    assert most <= 3
    assert limiter.stats().in_flight == 0


async def test_limiter_12_tasks_are_served_in_the_order_of_asking() -> None:
    """Waiting tasks go in order, as many at a time as the limit allows."""
    clock = HeldClock(0)
    limiter = RateLimiter("api", requests_per_minute=2, max_wait="1h", clock=clock)
    served: list[int] = []

    async def one(number: int) -> None:
        await limiter.acquire_async()
        served.append(number)

    tasks = [asyncio.create_task(one(number)) for number in range(7)]
    counts = []
    for _ in range(4):
        await _turns()
        counts.append(len(served))
        clock.advance(60)
    await asyncio.gather(*tasks)
    assert counts == [2, 4, 6, 7]
    assert served == list(range(7))


async def test_limiter_17_a_cancelled_task_gives_its_turn_to_the_next() -> None:
    """The third is served when the second would have been, and no unit is lost."""
    clock = HeldClock(0)
    limiter = RateLimiter("api", requests_per_minute=1, max_wait="1h", clock=clock)
    await limiter.acquire_async()
    first, second, third = (asyncio.create_task(limiter.acquire_async()) for _ in range(3))
    await _turns()
    second.cancel()
    await _turns()
    assert limiter.stats().waiting == 2
    clock.advance(60)
    await _turns()
    assert (first.done(), third.done()) == (True, False)
    clock.advance(60)
    assert (await third).waited == 120.0
    assert second.cancelled()


async def test_limiter_17_cancelling_at_any_await_loses_nothing() -> None:
    """Wherever a task is cancelled, afterwards nothing waits, nothing is in flight, and all units are there."""
    for turns in range(6):
        clock = HeldClock(0)
        limiter = RateLimiter("api", requests_per_minute=2, tokens_per_minute=10, concurrent=1, clock=clock)
        holder = await limiter.acquire_async(6)

        async def one(limiter: RateLimiter = limiter) -> None:
            async with await limiter.acquire_async(4) as grant:
                grant.settle(0)
                await asyncio.sleep(0)

        task = asyncio.create_task(one())
        await _turns(1)
        holder.release()
        await _turns(turns)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        stats = limiter.stats()
        assert (stats.waiting, stats.in_flight) == (0, 0)
        clock.advance(60)
        assert limiter.try_acquire(10)


async def test_limiter_19_blocking_inside_a_running_loop_is_an_error() -> None:
    """A sync acquire that would block the loop raises instead and leaves nothing; free room is given."""
    limiter = RateLimiter("api", requests_per_minute=1, clock=ManualClock(0))
    limiter.acquire()
    with pytest.raises(RuntimeError, match="would block the running event loop"):
        limiter.acquire()
    assert limiter.stats().waiting == 0
    with pytest.raises(sg.RateLimited):
        limiter.acquire(max_wait=0)


async def test_limiter_19_a_thousand_waiting_tasks_leave_the_loop_free() -> None:
    """Between any two turns of the loop at most one waiter's step is done."""
    clock = HeldClock(0)
    limiter = RateLimiter("api", requests_per_minute=1, max_wait="30h", clock=clock)
    await limiter.acquire_async()
    tasks = [asyncio.create_task(limiter.acquire_async()) for _ in range(1000)]
    await _turns(2)
    assert limiter.stats().waiting == 1000
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.stats().waiting == 0


async def test_a_refund_from_a_thread_wakes_a_task() -> None:
    """Tokens that a thread gives back serve a task that waits on a loop, before its time."""
    clock = HeldClock(0)
    limiter = RateLimiter("api", tokens_per_minute=10, clock=clock)
    grant = limiter.acquire(10)
    task = asyncio.create_task(limiter.acquire_async(8))
    await _turns()
    assert not task.done()
    await asyncio.to_thread(grant.settle, 2)
    assert (await task).waited == 0


def test_a_refund_wakes_a_thread() -> None:
    """A thread that waits for tokens goes as soon as another gives them back."""
    limiter = RateLimiter("api", tokens_per_minute=10, clock=HeldClock(0))
    grant = limiter.acquire(10)
    waited: list[float] = []
    thread = threading.Thread(target=lambda: waited.append(limiter.acquire(8).waited))
    thread.start()
    while not limiter.stats().waiting:
        pass
    grant.settle(2)
    thread.join(10)
    assert waited == [0.0]


async def test_priorities_and_expiry_for_tasks() -> None:
    """Tasks can say how urgent they are and how long they may hold, as threads can."""
    clock = HeldClock(0)
    limiter = RateLimiter("api", concurrent=1, max_wait="1h", clock=clock)
    await limiter.acquire_async(reservation_ttl=5)
    served: list[str] = []

    async def one(name: str, priority: int) -> None:
        async with await limiter.acquire_async(priority=priority):
            served.append(name)

    low = asyncio.create_task(one("low", 0))
    await _turns()
    high = asyncio.create_task(one("high", 1))
    await _turns()
    clock.advance(5)
    await asyncio.gather(low, high)
    assert served == ["high", "low"]


def test_what_is_given_back_under_the_lock_is_taken_back_later() -> None:
    """A finalizer that settles while its own thread holds the lock neither blocks nor loses anything."""
    limiter = RateLimiter("api", tokens_per_minute=10, concurrent=3, clock=ManualClock(0))
    settled, released = limiter.acquire(5), limiter.acquire(5)
    turnstile = limiter._turnstile  # noqa: SLF001 - the lock is what is tested

    def finalize(inner: policy.Limiter, now: Moment) -> None:
        settled.settle(1)
        released.release()
        turnstile.withdraw(99)
        assert inner.in_flight == 2

    turnstile.read(finalize)
    stats = limiter.stats()
    assert (stats.in_flight, stats.limits[0].used) == (0, 1)

    grant = limiter.acquire(5)
    with turnstile._lock:  # noqa: SLF001 - as above
        grant.settle(2)
    assert limiter.try_acquire(7)


def test_a_slot_that_was_given_back_can_not_be_resumed() -> None:
    """Asking with a slot that is not there any more is a mistake of the caller."""
    turnstile = Turnstile([], ManualClock(0))
    with pytest.raises(RuntimeError, match="slot 7 was given back"):
        turnstile.resume(7)
