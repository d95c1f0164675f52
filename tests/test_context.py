from __future__ import annotations

import asyncio
import contextvars
import threading

import switchgear as sg
from switchgear.calls import NO_ATTRIBUTION, Attribution
from switchgear.context import current, merged


def test_blocks_nest_and_end() -> None:
    """An inner block completes the outer one, wins where both speak, and is gone at its end."""
    with sg.attribution(job="a", layer="outer", tags={"team": "blue", "x": "1"}):
        with sg.attribution(layer="inner", tags={"x": "2"}) as inner:
            assert inner == Attribution(job="a", layer="inner", tags=(("team", "blue"), ("x", "2")))
            assert inner.value("tag.team") == "blue"
            assert inner.value("layer") == "inner"
            assert inner.value("tag.none") is None
        assert current().layer == "outer"
    assert current() is NO_ATTRIBUTION


def test_nothing_said_is_nothing_changed() -> None:
    """Merging with no attribution gives the other one."""
    one = Attribution(job="a")
    assert merged(NO_ATTRIBUTION, one) is one
    assert merged(one, NO_ATTRIBUTION) is one


async def test_concurrent_tasks_never_mix() -> None:
    """A hundred tasks that yield to each other each keep their own job."""

    async def work(number: int) -> str | None:
        with sg.attribution(job=str(number)):
            for _ in range(5):
                await asyncio.sleep(0)
            return current().job

    assert await asyncio.gather(*(work(number) for number in range(100))) == [str(number) for number in range(100)]
    assert current() is NO_ATTRIBUTION


def test_a_thread_sees_what_it_is_given() -> None:
    """A new thread starts with none, and with the caller's if its context is run in it."""
    seen: list[str | None] = []
    with sg.attribution(job="a"):
        plain = threading.Thread(target=lambda: seen.append(current().job))
        plain.start()
        plain.join()
        copied = threading.Thread(target=contextvars.copy_context().run, args=(lambda: seen.append(current().job),))
        copied.start()
        copied.join()
    assert seen == [None, "a"]
