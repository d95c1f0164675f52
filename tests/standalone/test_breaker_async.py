from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from switchgear import BreakerOpen, CircuitBreaker
from switchgear.testing import ManualClock


class Down(Exception):
    pass


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands."""
    return ManualClock()


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Return a breaker that opens on three failures in a row, for 30 seconds."""
    defaults: dict[str, object] = {"failure_threshold": 3, "recovery_timeout": 30}
    return CircuitBreaker("svc", clock=clock, **{**defaults, **settings})  # type: ignore[arg-type]  # by name


async def ok() -> str:
    """Succeed."""
    return "ok"


async def down() -> str:
    """Fail."""
    raise Down


def returns(function: Callable[[], Coroutine[None, None, str]]) -> Callable[[], Coroutine[None, None, str]]:
    """Return a plain function that returns a coroutine of *function*."""

    def call() -> Coroutine[None, None, str]:
        return function()

    return call


async def for_ever() -> None:
    """Never end."""
    await asyncio.Event().wait()


async def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    """Let *times* calls fail."""
    for _ in range(times):
        with pytest.raises(Down):
            await breaker.call(down)


async def test_breaker_01_coroutine_functions_are_guarded(clock: ManualClock) -> None:
    """As a call and decorated: results and exceptions go through, three failures open."""
    breaker = make(clock)
    guarded = breaker.protect(down)
    assert await breaker.call(ok) == await breaker.protect(ok)() == "ok"
    for _ in range(3):
        with pytest.raises(Down):
            await guarded()
    assert breaker.state == "open"


async def test_breaker_01_a_plain_function_that_returns_a_coroutine_is_settled_at_its_end(clock: ManualClock) -> None:
    """A lambda or a partial around a coroutine function is no success before the coroutine has ended."""
    breaker = make(clock, is_failure=lambda thing: isinstance(thing, Down) or thing == "ok")
    with pytest.raises(Down):
        await breaker.call(returns(down))
    with pytest.raises(Down):
        await breaker.call(functools.partial(down))
    assert await breaker.call(returns(ok)) == "ok"
    assert breaker.state == "open"


async def test_breaker_24_25_a_cancelled_call_says_nothing(clock: ManualClock) -> None:
    """The row stays at two; a cancelled probe frees its place at once, and the next caller is the probe."""
    breaker = make(clock)
    await fail(breaker, 2)
    for expected in ("closed", "half_open"):
        task = asyncio.create_task(breaker.protect(for_ever)())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert breaker.state == expected
        if expected == "closed":
            assert (breaker.stats().failures, breaker.stats().calls) == (2, 2)
            await fail(breaker)
            clock.advance(30)
    assert await breaker.call(ok) == "ok"
    assert breaker.state == "closed"


async def test_breaker_26_a_task_that_is_cancelled_before_it_starts_holds_nothing(clock: ManualClock) -> None:
    """Admission and start are one step, so that there is nothing to leak."""
    breaker = make(clock)
    await fail(breaker, 3)
    clock.advance(30)
    task = asyncio.create_task(breaker.call(ok))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert breaker.stats().probes == 0
    breaker.acquire()


async def test_breaker_27_time_outs_inside_are_failures_and_outside_are_not(clock: ManualClock) -> None:
    """The function's own time-out is the service's fault; the caller's is, if it is told to be."""
    breaker, strict = make(clock), make(clock, outer_timeout="failure")

    async def times_out() -> None:
        async with asyncio.timeout(0):
            await for_ever()

    with pytest.raises(TimeoutError):
        await breaker.call(times_out)
    assert breaker.stats().failures == 1
    for one, failures in ((breaker, 1), (strict, 1)):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await one.call(for_ever)
        assert one.stats().failures == failures
    assert breaker.stats().calls == 1


async def test_breaker_36_open_runs_no_body(clock: ManualClock) -> None:
    """Coroutine functions and asynchronous generators keep their colour, and nothing is left un-awaited."""
    breaker = make(clock)
    ran: list[str] = []

    @breaker.protect
    async def work() -> None:
        ran.append("coroutine")

    @breaker.protect
    async def items() -> AsyncIterator[int]:
        ran.append("generator")
        yield 1

    class Worker:
        async def __call__(self) -> None:
            ran.append("object")

    assert inspect.iscoroutinefunction(work)
    assert inspect.isasyncgenfunction(items)
    assert inspect.iscoroutinefunction(breaker.protect(Worker()))
    breaker.force_open()
    for awaitable in (work(), breaker.call(work), breaker.protect(Worker())()):
        with pytest.raises(BreakerOpen):
            await awaitable
    with pytest.raises(BreakerOpen):
        await breaker.call(returns(ok))
    with pytest.raises(BreakerOpen):
        await anext(items())
    with pytest.raises(BreakerOpen):
        async with breaker:
            ran.append("async with")
    assert ran == []


async def test_breaker_36_async_blocks(clock: ManualClock) -> None:
    """A block settles by how it ends, each task its own."""
    breaker = make(clock)

    async def block(error: Exception | None, turns: int) -> None:
        async with breaker:
            for _ in range(turns):
                await asyncio.sleep(0)
            if error is not None:
                raise error

    outcomes = await asyncio.gather(block(Down(), 3), block(None, 1), block(Down(), 2), return_exceptions=True)
    assert [type(one) for one in outcomes] == [Down, type(None), Down]
    async with breaker.acquire() as permit:
        permit.failure()
    assert breaker.state == "open"


async def test_breaker_31_results_of_coroutines_can_be_failures(clock: ManualClock) -> None:
    """The predicate is asked about what the coroutine returns."""
    breaker = make(clock, is_failure=lambda result: result == "ok", failure_threshold=1)
    assert await breaker.protect(ok)() == "ok"
    assert breaker.state == "open"
