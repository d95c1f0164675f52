"""A service's timeout is for the whole call, from Python too, over real sockets."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import httpx2
import pytest

import switchgear as sg
from switchgear.clients.watch import Watch
from switchgear.clock import SystemClock
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox

CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
timeout = "500ms"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""
CHAT = {"model": "m", "max_tokens": 2000, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
SLOW = {"x-sandbox-fault": "chunk_delay=50ms;output=2000"}


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_stream_that_keeps_coming_is_cut(
    sandbox: Sandbox, make_config: Callable[[str], Config], *, is_async: bool
) -> None:
    """Events all the time, none late, and still the call ends at its timeout: a ReadTimeout, failed on record."""
    with sg.Governor(make_config(CONFIG.format(url=sandbox.url))) as gov:
        url = f"{sandbox.url}/v1/chat/completions"
        begun = time.monotonic()
        if is_async:
            async with gov.async_http_client("llm") as client:
                client.timeout = httpx2.Timeout(60)
                with pytest.raises(httpx2.ReadTimeout, match=r"no whole answer within 0\.5 s"):
                    await client.post(url, json=CHAT, headers=SLOW)
        else:
            with gov.http_client("llm") as client:
                client.timeout = httpx2.Timeout(60)
                with pytest.raises(httpx2.ReadTimeout, match=r"no whole answer within 0\.5 s"):
                    client.post(url, json=CHAT, headers=SLOW)

        assert 0.45 < time.monotonic() - begun < 3
        (row,) = gov.ledger.reader.calls().items
        assert (row.status, row.error, row.estimated) == ("failed", "ReadTimeout", True)
        sandbox.wait_until(lambda stats: stats.streams_open == 0, patience=5)


def test_the_watch_strikes_what_is_late_and_nothing_else() -> None:
    """One thread for all: what ends in time is left alone, and what was due first is struck first."""
    watch = Watch(SystemClock())
    struck: list[int] = []
    late = [watch.over(0.02 * (3 - number), functools.partial(struck.append, number)) for number in range(3)]
    in_time = [watch.over(0.03, lambda: struck.append(-1)) for _ in range(200)]

    assert not any(one.end() for one in in_time)
    deadline = time.monotonic() + 5
    while len(struck) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)

    assert struck == [2, 1, 0]
    assert all(one.end() for one in late)
