from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

from switchgear import BreakerOpen, CircuitBreaker, StallError
from switchgear.testing import ManualClock


class Down(Exception):
    pass


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands."""
    return ManualClock()


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Return a breaker that opens on the second failure in a row."""
    defaults: dict[str, object] = {"failure_threshold": 2, "recovery_timeout": 30}
    return CircuitBreaker("svc", clock=clock, **{**defaults, **settings})  # type: ignore[arg-type]  # by name


def numbers(count: int, error: Exception | None = None) -> Generator[int, Any, str]:
    """Yield *count* numbers, then raise *error*."""
    yield from range(count)
    if error is not None:
        raise error
    return "done"


async def anumbers(count: int, error: Exception | None = None) -> AsyncGenerator[int, Any]:
    """Yield *count* numbers, then raise *error*."""
    for number in range(count):
        yield number
    if error is not None:
        raise error


def half_open(breaker: CircuitBreaker, clock: ManualClock) -> None:
    """Open *breaker* and let its time pass."""
    for _ in range(2):
        breaker.acquire().failure()
    clock.advance(30)
    assert breaker.state == "half_open"


def test_breaker_33_a_generator_is_settled_at_its_end(clock: ManualClock) -> None:
    """A failure at the raise, a success only when it is exhausted."""
    breaker = make(clock)
    guarded = breaker.protect(numbers)
    stream = guarded(1, Down())
    assert next(stream) == 0
    assert breaker.stats().calls == 0
    with pytest.raises(Down):
        next(stream)
    assert (breaker.stats().calls, breaker.stats().failures) == (1, 1)
    assert list(guarded(3)) == [0, 1, 2]
    assert (breaker.stats().calls, breaker.stats().failures) == (2, 0)
    assert list(breaker.call(numbers, 2)) == [0, 1]


def test_breaker_33_a_generator_keeps_all_that_it_can_do(clock: ManualClock) -> None:
    """It can be sent to, thrown into and closed, and it returns its value."""
    breaker = make(clock)

    @breaker.protect
    def echo() -> Generator[object, object, str]:
        got: object = "started"
        while got != "end":
            try:
                got = yield got
            except Down:
                got = "caught"
        return "value"

    stream = echo()
    assert [next(stream), stream.send("sent"), stream.throw(Down())] == ["started", "sent", "caught"]
    with pytest.raises(StopIteration) as stopped:
        stream.send("end")
    assert stopped.value.value == "value"
    assert breaker.stats().calls == 1


def test_breaker_34_a_consumer_that_leaves_says_nothing(clock: ManualClock) -> None:
    """Closed, or dropped and collected: neutral, and the place is free; never iterated: it holds none."""
    breaker = make(clock)
    half_open(breaker, clock)
    guarded = breaker.protect(numbers)
    stream = guarded(2)
    next(stream)
    with pytest.raises(BreakerOpen):
        next(guarded(2))
    stream.close()
    left = guarded(2)
    next(left)
    del left
    gc.collect()
    never = guarded(2)
    assert breaker.stats().probes == 0
    del never
    assert list(guarded(1)) == [0]
    assert breaker.state == "closed"


def test_breaker_35_an_empty_or_bad_stream_is_a_failure(clock: ManualClock) -> None:
    """Zero items are a failure; a bad item is one at once, however the stream ends."""
    breaker = make(clock, failure_threshold=9, is_failure=lambda item: item == 1)
    guarded = breaker.protect(numbers)
    assert list(guarded(0)) == []
    assert breaker.stats().failures == 1
    stream = guarded(3)
    assert [next(stream), next(stream)] == [0, 1]
    assert breaker.stats().failures == 2
    assert list(stream) == [2]
    with pytest.raises(Down):
        list(guarded(2, Down()))
    assert (breaker.stats().failures, breaker.stats().calls) == (3, 3)


def test_breaker_08_a_stream_is_as_slow_as_its_first_item(clock: ManualClock) -> None:
    """What the consumer does between items is no fault of the service."""
    breaker = make(clock, slow_call=1)

    @breaker.protect
    def slow(first: float) -> Generator[int, None, None]:
        clock.advance(first)
        yield 1
        yield 2

    for first in (0.9, 1.1):
        for _ in slow(first):
            clock.advance(10)
    assert breaker.stats().slow == 1


async def test_breaker_34_async_streams_are_settled_at_their_end(clock: ManualClock) -> None:
    """Exhausted: a success; raising: a failure; left by its consumer: neutral, its place free."""
    breaker = make(clock)
    guarded = breaker.protect(anumbers)
    assert [item async for item in guarded(2)] == [0, 1]
    with pytest.raises(Down):
        [item async for item in guarded(1, Down())]
    assert (breaker.stats().calls, breaker.stats().failures) == (2, 1)
    breaker.reset()
    half_open(breaker, clock)
    stream = guarded(2)
    assert await anext(stream) == 0
    with pytest.raises(BreakerOpen):
        await anext(guarded(2))
    await stream.aclose()
    assert breaker.stats().probes == 0
    assert [item async for item in breaker.call(anumbers, 1)] == [0]
    assert breaker.state == "closed"


async def test_breaker_34_an_async_stream_with_wrong_arguments_holds_nothing(clock: ManualClock) -> None:
    """The call fails as it would alone, before anything is admitted."""
    breaker = make(clock)
    half_open(breaker, clock)
    with pytest.raises(TypeError):
        await anext(breaker.protect(anumbers)())  # type: ignore[call-arg]  # on purpose
    assert breaker.stats().probes == 0


async def test_breaker_34_an_async_generator_keeps_all_that_it_can_do(clock: ManualClock) -> None:
    """It can be sent to and thrown into, and its own clean-up runs when it is closed."""
    breaker = make(clock)
    closed: list[bool] = []

    @breaker.protect
    async def echo() -> AsyncGenerator[object, object]:
        got: object = "started"
        try:
            while True:
                try:
                    got = yield got
                except Down:
                    got = "caught"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    stream = echo()
    assert [await anext(stream), await stream.asend("sent"), await stream.athrow(Down())] == [
        "started",
        "sent",
        "caught",
    ]
    await stream.aclose()
    assert closed == [True]
    assert breaker.stats().calls == 0


async def test_breaker_35_an_empty_or_bad_async_stream_is_a_failure(clock: ManualClock) -> None:
    """As for a generator."""
    breaker = make(clock, is_failure=lambda item: item == 1)
    guarded = breaker.protect(anumbers)
    assert [item async for item in guarded(0)] == []
    assert [item async for item in guarded(3)] == [0, 1, 2]
    assert breaker.state == "open"


async def test_breaker_35_a_stalled_stream_is_a_failure(clock: ManualClock) -> None:
    """The consumer gets a StallError; items that come in time go through, and inner time-outs stay what they are."""
    breaker = make(clock, failure_threshold=9)

    @breaker.protect(stall_timeout=0.001)
    async def stalls() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.Event().wait()

    stream = stalls()
    assert await anext(stream) == 1
    with pytest.raises(StallError, match=r"svc sent nothing for 0.001 s") as caught:
        await anext(stream)
    assert (caught.value.name, caught.value.seconds) == ("svc", 0.001)
    assert breaker.stats().failures == 1
    guarded = breaker.protect(stall_timeout="1h")(anumbers)
    assert [item async for item in guarded(2)] == [0, 1]
    with pytest.raises(TimeoutError):
        [item async for item in guarded(1, TimeoutError())]
    assert breaker.stats().failures == 1


def test_a_stall_timeout_is_for_async_generators(clock: ManualClock) -> None:
    """Nothing else can be interrupted, so nothing else takes one."""
    with pytest.raises(ValueError, match="stall_timeout is for asynchronous generators"):
        make(clock).protect(stall_timeout=1)(numbers)
    with pytest.raises(ValueError, match="stall_timeout is a duration above 0"):
        make(clock).protect(stall_timeout=0)
