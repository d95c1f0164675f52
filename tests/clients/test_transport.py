from __future__ import annotations

import gzip
from collections.abc import Iterator

import httpx2
import pytest

import switchgear as sg
from switchgear.clients.async_transport import AsyncGovernedTransport
from switchgear.clients.governor import Governor
from switchgear.clients.transport import GovernedTransport
from switchgear.drills.sandbox import Sandbox
from switchgear.governor.exchange import COLLECTED
from switchgear.ledger.views import CallFilter, CallRow

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
ANSWER = b'{"usage": {"prompt_tokens": 2, "completion_tokens": 3}}'


def _rows(governor: Governor) -> tuple[CallRow, ...]:
    return governor.ledger.reader.calls(CallFilter()).items


@pytest.mark.parametrize("base", ["https://api.openai.com", "http://localhost:1", "{own}"])
def test_a_service_lives_where_its_configuration_says(governor: Governor, sandbox: Sandbox, base: str) -> None:
    """Whatever address the SDK has built in, the request goes to the service's base URL."""
    with governor.http_client("llm") as client:
        answer = client.post(base.format(own=sandbox.url) + "/v1/chat/completions", json=CHAT)
    assert answer.status_code == 200
    assert answer.headers["x-switchgear-cost-usd"] == "0.000012"
    assert sandbox.stats().by_path == {"/v1/chat/completions": 1}


def test_a_refusal_can_be_raised(governor: Governor, sandbox: Sandbox) -> None:
    """For one's own code a refusal may be an exception instead of an answer."""
    client = governor.http_client("llm", refusals="raise")
    with client, sg.attribution(job="tiny"), pytest.raises(sg.BudgetExceeded):
        client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT)
    assert sandbox.stats().received == 0


async def test_a_refusal_is_an_answer_for_tasks_too(governor: Governor, sandbox: Sandbox) -> None:
    """The asynchronous client answers and raises alike."""
    with sg.attribution(job="tiny"):
        async with governor.async_http_client("llm") as client:
            answer = await client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT)
        assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
        async with governor.async_http_client("llm", refusals="raise") as client:
            with pytest.raises(sg.BudgetExceeded):
                await client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT)


def test_a_compressed_answer_is_read_and_passed_as_it_is(governor: Governor) -> None:
    """Usage is read from gzip, and the client still gets gzip."""
    packed = gzip.compress(ANSWER)

    def upstream(_: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "application/json", "content-encoding": "gzip", "content-length": str(len(packed))}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(packed))

    transport = GovernedTransport(governor, "llm", inner=httpx2.MockTransport(upstream))
    with httpx2.Client(transport=transport, base_url="http://x") as client:
        answer = client.post("/v1/chat/completions", json=CHAT)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == ANSWER
    assert (_rows(governor)[0].input_tokens, _rows(governor)[0].output_tokens) == (2, 3)


class _Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer in pieces that may break off."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = pieces
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        if self.error is not None:
            raise self.error

    async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204 - an async iterator beside the sync one
        for piece in self:
            yield piece


def _transports(governor: Governor, answer: _Pieces) -> tuple[GovernedTransport, AsyncGovernedTransport]:
    def upstream(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "application/json"}, stream=answer)

    mock = httpx2.MockTransport(upstream)
    return GovernedTransport(governor, "llm", inner=mock), AsyncGovernedTransport(governor, "llm", inner=mock)


async def test_an_answer_too_large_to_collect_passes_without_its_cost(governor: Governor) -> None:
    """Beyond the bound the answer is streamed on as it comes; it is settled, only not in its head."""
    piece = b" " * (1024 * 1024)
    pieces = [piece] * (COLLECTED // len(piece) + 3)
    transport, async_transport = _transports(governor, _Pieces(*pieces))
    with httpx2.Client(transport=transport, base_url="http://x") as client:
        answer = client.post("/v1/chat/completions", json=CHAT)
    async with httpx2.AsyncClient(transport=async_transport, base_url="http://x") as aclient:
        same = await aclient.post("/v1/chat/completions", json=CHAT)
    assert len(answer.content) == len(same.content) == len(piece) * len(pieces)
    assert "x-switchgear-cost-usd" not in answer.headers
    assert [row.status for row in _rows(governor)] == ["ok", "ok"]
    assert all(row.estimated for row in _rows(governor))


async def test_an_answer_that_breaks_off_is_a_failure(governor: Governor) -> None:
    """The transport's error comes out, and the call is settled at an estimate."""
    transport, async_transport = _transports(governor, _Pieces(b'{"usage"', error=httpx2.ReadError("connection reset")))
    with httpx2.Client(transport=transport, base_url="http://x") as client, pytest.raises(httpx2.ReadError):
        client.post("/v1/chat/completions", json=CHAT)
    async with httpx2.AsyncClient(transport=async_transport, base_url="http://x") as aclient:
        with pytest.raises(httpx2.ReadError):
            await aclient.post("/v1/chat/completions", json=CHAT)
    assert [(row.status, row.error, row.estimated) for row in _rows(governor)] == [("failed", "ReadError", True)] * 2


def test_a_stream_left_early_is_cancelled(governor: Governor, sandbox: Sandbox) -> None:
    """Who stops reading a stream is charged an estimate of what came."""
    url, body = f"{sandbox.url}/v1/chat/completions", {**CHAT, "stream": True}
    with governor.http_client("llm") as client, client.stream("POST", url, json=body) as answer:
        next(answer.iter_lines())
    (row,) = _rows(governor)
    assert (row.status, row.estimated) == ("cancelled", True)


async def test_a_stream_left_early_is_cancelled_for_tasks_too(governor: Governor, sandbox: Sandbox) -> None:
    """The asynchronous stream settles on closing."""
    async with governor.async_http_client("llm") as client:
        body = {**CHAT, "stream": True}
        async with client.stream("POST", f"{sandbox.url}/v1/chat/completions", json=body) as answer:
            await anext(answer.aiter_lines())
    assert _rows(governor)[0].status == "cancelled"


def test_the_key_of_a_service_replaces_the_callers(
    governor: Governor, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the configuration has a key, the caller's does not go out."""
    monkeypatch.setattr(governor, "terms", governor.terms._replace(keys={"llm": "sk-house"}))
    with governor.http_client("llm") as client:
        client.post(
            f"{sandbox.url}/v1/chat/completions", json=CHAT, headers={"authorization": "Bearer mine", "x-api-key": "m"}
        )
    (got,) = sandbox.requests
    sent = {name.lower(): value for name, value in got.headers}
    assert sent["authorization"] == "Bearer sk-house"
    assert "x-api-key" not in sent
