"""A call's total time over httpx2, whose own time-outs are for each read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn, TypeVar

import httpx2

from switchgear.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from switchgear.governor.exchange import Exchange

__all__ = ["Until", "seconds_of", "too_late"]

T = TypeVar("T")


def seconds_of(exchange: Exchange, left_us: int | None) -> float:
    """Return how long an attempt may take; *left_us*: no longer than so many microseconds."""
    total = exchange.config.timeout
    return (total if left_us is None else max(0, min(total, left_us))) / MICROS


def too_late(seconds: float) -> NoReturn:
    """Raise what an answer comes to that is not whole after *seconds*.

    Raises:
        httpx2.ReadTimeout: always.
    """
    msg = f"no whole answer within {seconds:g} s"
    raise httpx2.ReadTimeout(msg)


class Until:
    """So many *seconds* from now on the running loop's clock.

    Args:
        seconds: for everything that *wait* waits for.
    """

    __slots__ = ("_at", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = asyncio.get_running_loop().time() + seconds

    async def wait(self, work: Awaitable[T]) -> T:
        """Return what *work* comes to.

        Raises:
            httpx2.ReadTimeout: the time is over.
        """
        try:
            async with asyncio.timeout_at(self._at) as limit:
                return await work
        except TimeoutError:
            if limit.expired():
                too_late(self._seconds)
            raise
