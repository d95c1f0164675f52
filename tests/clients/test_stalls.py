"""Streams that go silent, over real sockets: told in the provider's shape, failed on record, let go upstream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import anthropic
import httpx2
import openai
import pytest

import switchgear as sg
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallRow

CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
first_token_timeout = "150ms"
stall_timeout = "100ms"
breaker = {{ failure_threshold = 1 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""
BODY = {"model": "m", "max_tokens": 9, "stream": True}
CHAT = {**BODY, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "m", "max_output_tokens": 9, "stream": True, "input": "hi"}
WAYS = [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSES), ("/v1/messages", CHAT)]


@pytest.fixture
def gov(sandbox: Sandbox, make_config: Callable[[str], Config]) -> Iterator[sg.Governor]:
    """A governor in front of the sandbox whose patience is short."""
    with sg.Governor(make_config(CONFIG.format(url=sandbox.url))) as one:
        yield one


def _row(gov: sg.Governor) -> CallRow:
    (row,) = gov.ledger.reader.calls().items
    return row


def _fault(text: str) -> dict[str, str]:
    return {"x-sandbox-fault": text}


def _check(gov: sg.Governor, sandbox: Sandbox, raw: bytes, path: str) -> None:
    last = raw.rstrip().rpartition(b"data: ")[2]
    error = json.loads(last)
    assert "nothing came for 100ms" in json.dumps(error)
    assert error["error"]["type"] == ("timeout_error" if "messages" in path else "server_error")
    row = _row(gov)
    assert (row.status, row.error, row.estimated) == ("failed", "StallError: nothing came for 100ms", True)
    assert row.output_tokens
    assert gov.state.breakers(gov.clock.moment())[0].state == "open"
    sandbox.wait_until(lambda stats: stats.streams_open == 0, patience=5)
    assert sandbox.stats().aborted == 1


@pytest.mark.parametrize(("path", "body"), WAYS)
def test_a_stream_that_stalls_ends_with_an_error(
    gov: sg.Governor, sandbox: Sandbox, path: str, body: dict[str, object]
) -> None:
    """An event in the provider's shape; the row has failed, the breaker heard of it, the upstream is let go."""
    with gov.http_client("llm") as client:
        raw = client.post(sandbox.url + path, json=body, headers=_fault("hang=8")).content
        _check(gov, sandbox, raw, path)


@pytest.mark.parametrize(("path", "body"), WAYS)
async def test_a_stream_that_stalls_ends_with_an_error_for_tasks(
    gov: sg.Governor, sandbox: Sandbox, path: str, body: dict[str, object]
) -> None:
    """The same for tasks."""
    async with gov.async_http_client("llm") as client:
        raw = (await client.post(sandbox.url + path, json=body, headers=_fault("hang=8"))).content
        _check(gov, sandbox, raw, path)


@pytest.mark.parametrize("fault", ["hang", "hang=1"])
def test_no_first_token_is_told_in_time(gov: sg.Governor, sandbox: Sandbox, fault: str) -> None:
    """Whether the head has come or not; where nothing has gone to the caller yet it is a time-out."""
    with gov.http_client("llm") as client:
        if fault == "hang":
            with pytest.raises(httpx2.ReadTimeout):
                client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT, headers=_fault(fault))
        else:
            answer = client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT, headers=_fault(fault))
            assert b"no first token within 150ms" in answer.content
    assert (_row(gov).status, _row(gov).error) == ("failed", "StallError: no first token within 150ms")


@pytest.mark.parametrize("fault", ["hang", "hang=1"])
async def test_no_first_token_is_told_in_time_to_tasks(gov: sg.Governor, sandbox: Sandbox, fault: str) -> None:
    """The same for tasks."""
    async with gov.async_http_client("llm") as client:
        if fault == "hang":
            with pytest.raises(httpx2.ReadTimeout):
                await client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT, headers=_fault(fault))
        else:
            answer = await client.post(f"{sandbox.url}/v1/chat/completions", json=CHAT, headers=_fault(fault))
            assert b"no first token within 150ms" in answer.content
    assert (_row(gov).status, _row(gov).error) == ("failed", "StallError: no first token within 150ms")


def test_a_steady_stream_and_a_slow_body_are_left_alone(gov: sg.Governor, sandbox: Sandbox) -> None:
    """Longer than both time-outs together, as long as something comes; what is no stream has the whole time-out."""
    with gov.http_client("llm") as client:
        url = f"{sandbox.url}/v1/chat/completions"
        assert b"[DONE]" in client.post(url, json=CHAT, headers=_fault("chunk_delay=40ms")).content
        plain = {**CHAT, "stream": False}
        assert client.post(url, json=plain, headers=_fault("latency=300ms")).status_code == httpx2.codes.OK
    assert {row.status for row in gov.ledger.reader.calls().items} == {"ok"}


def test_the_sdks_raise_it_as_their_own(gov: sg.Governor, sandbox: Sandbox) -> None:
    """In the middle of a stream, as the provider's error."""
    sandbox.fault("hang=5")
    ours = openai.OpenAI(api_key="k", base_url=f"{sandbox.url}/v1", http_client=gov.http_client("llm"), max_retries=0)
    with ours as client, pytest.raises(openai.APIError, match="nothing came for 100ms"):
        list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))


def test_anthropic_raises_it_as_its_own(gov: sg.Governor, sandbox: Sandbox) -> None:
    """In the middle of a stream, as the provider's error."""
    sandbox.fault("hang=5")
    http = gov.http_client("llm")
    with anthropic.Anthropic(api_key="k", base_url=sandbox.url, http_client=http, max_retries=0) as client:
        stream = client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}], stream=True
        )
        with pytest.raises(anthropic.APIError, match="nothing came for 100ms"):
            list(stream)
