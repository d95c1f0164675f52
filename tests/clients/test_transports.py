from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from switchgear.clients.async_transport import AsyncGovernedTransport
from switchgear.clients.governor import Governor
from switchgear.clients.transport import GovernedTransport
from switchgear.clients.upstream import Upstream
from switchgear.errors import ConfigError
from switchgear.governor.exchange import COLLECTED
from switchgear.testing import FakeProvider, governor

Client = Any  # the fixture's class lives in conftest.py, which tests can't import from

SERVICE = '[services.x]\nkind = "http"\nbase_url = "http://x.test"\nretry = { attempts = 2 }\n'


class _OneWay(Upstream):
    """Answers both ways with a stream of one."""

    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream, status: int = 200) -> None:
        self.stream = stream
        self.status = status

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(self.status, stream=self.stream)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.handle_request(request)


class _Sync(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"x"


class _Async(httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"x"


async def test_an_upstream_of_the_other_colour_is_told() -> None:
    """A sync transport over an async stream, and the reverse, is a mistake of the caller's and no answer."""
    request = httpx2.Request("GET", "http://x.test/")
    with governor(SERVICE) as gov:
        with pytest.raises((TypeError, RuntimeError), match="async stream"):
            GovernedTransport(gov, "x", inner=_OneWay(_Async())).handle_request(request)
        with pytest.raises((TypeError, RuntimeError), match="sync stream"):
            await AsyncGovernedTransport(gov, "x", inner=_OneWay(_Sync())).handle_async_request(request)
        assert {row.status for row in gov.ledger.reader.calls().items} == {"failed"}


def test_a_service_without_an_address_has_no_http() -> None:
    """It is used through gov.call, and whoever sends HTTP to it is told so; nothing is held."""
    with (
        governor('[services.f]\nkind = "http"\n') as gov,
        gov.http_client("f") as http,
        pytest.raises(ConfigError, match="has no base_url"),
    ):
        http.get("http://f.test/")


class _Large(_Sync, _Async):
    def __iter__(self) -> Iterator[bytes]:
        yield from (b"x" * COLLECTED, b"y", b"z")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def test_an_answer_too_large_to_collect_passes_as_it_comes(client: Client) -> None:
    """It has no cost in its head, is not tried again, and is settled at its end all the same."""
    client.provider = _OneWay(_Large(), 503)
    answer = client.send("web", "/large", method="GET")

    assert len(answer.content) == COLLECTED + 2
    assert "x-switchgear-cost-usd" not in answer.headers
    assert client.story() == [("web", 1, "failed", 503)]


async def test_a_task_that_is_cancelled_while_it_reads_settles_its_call() -> None:
    """The caller is gone: neither success nor failure, and nothing stays reserved."""

    class Slow(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"
            raise asyncio.CancelledError

    with governor(SERVICE) as gov:
        transport = AsyncGovernedTransport(gov, "x", inner=_OneWay(Slow()))
        with pytest.raises(asyncio.CancelledError):
            await transport.handle_async_request(httpx2.Request("GET", "http://x.test/"))
        (row,) = gov.ledger.reader.calls().items
        await transport.aclose()

    assert row.status == "cancelled"


def test_a_stream_that_is_left_early_is_cancelled(client: Client, provider: FakeProvider) -> None:
    """Who closes a begun stream has its call settled, without a retry."""
    body = {"model": "m", "stream": True, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    request = httpx2.Request("POST", "http://main.test/base/v1/chat/completions", json=body)

    async def leave() -> None:
        response = await AsyncGovernedTransport(client.governor, "main", inner=provider).handle_async_request(request)
        await anext(aiter(response.stream))  # type: ignore[arg-type]  # an async transport's stream
        await response.aclose()

    if client.is_async:
        asyncio.run(leave())
    else:
        response = GovernedTransport(client.governor, "main", inner=provider).handle_request(request)
        next(iter(response.stream))  # type: ignore[arg-type]  # a sync transport's stream
        response.close()

    assert client.story() == [("main", 1, "cancelled", 200)]


STEPS = """
[services.x]
kind = "openai"
base_url = "http://x.test"
limits = { concurrent = 2 }
breaker = { failure_threshold = 1000, minimum_calls = 1000 }
retry = { attempts = 3 }
prices = { "m" = { input = "1", output = "2" } }

[[budgets]]
name = "all"
limit_usd = "1"
"""


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_task_cancelled_anywhere_leaves_nothing_held(streamed: bool) -> None:  # noqa: FBT001 - pytest passes it
    """Cancelled after any number of turns of the loop, with a retry on the way: every place and reservation is back."""
    body = {"model": "m", "stream": streamed, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}

    async def call(gov: Governor, provider: FakeProvider) -> None:
        transport = AsyncGovernedTransport(gov, "x", inner=provider)
        response = await transport.handle_async_request(
            httpx2.Request("POST", "http://x.test/v1/chat/completions", json=body)
        )
        try:
            await response.aread()
        finally:
            await response.aclose()

    with governor(STEPS) as gov:
        provider = FakeProvider(clock=gov.clock)
        for turns in range(80):
            provider.fault("latency=1s;status=500")
            task = asyncio.create_task(call(gov, provider))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            provider.clear_faults()
            now = gov.clock.moment()
            assert [view.reserved for view in gov.state.budgets(now)] == [0], turns
            assert [view.used for view in gov.state.limits(now)] == [0], turns
        with gov.call("x", model="m"):  # once this one is on record, all earlier ones are
            pass
        statuses = {row.status for row in gov.ledger.reader.calls(limit=500).items}
    assert "reserved" not in statuses
    assert "cancelled" in statuses
