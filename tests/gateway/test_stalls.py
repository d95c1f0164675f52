"""Providers that go silent, as a client of the gateway meets them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Literal

import anthropic
import httpx2
import openai
import pytest

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

SERVICES = """
[services.openai]
kind = "openai"
provider = "openai"
base_url = "{url}"
first_token_timeout = "200ms"
stall_timeout = "150ms"
breaker = {{ failure_threshold = 1 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.anthropic]
kind = "anthropic"
provider = "anthropic"
base_url = "{url}"
first_token_timeout = "200ms"
stall_timeout = "150ms"
breaker = {{ failure_threshold = 1 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "10"
"""
BODY = {"model": "m", "max_tokens": 9, "stream": True}
CHAT = {**BODY, "messages": [{"role": "user", "content": "hi"}]}
RESPONSES = {"model": "m", "max_output_tokens": 9, "stream": True, "input": "hi"}
WAYS = [
    ("openai", "/v1/chat/completions", CHAT, "server_error"),
    ("openai", "/v1/responses", RESPONSES, "server_error"),
    ("anthropic", "/v1/messages", CHAT, "timeout_error"),
]


@pytest.fixture
def gateway(
    sandbox: Sandbox, make_config: Callable[[str], Config], data_path: Literal["hot", "plain"]
) -> Iterator[Server]:
    """A gateway in front of the sandbox whose patience is short."""
    with Server(make_config(SERVICES.format(url=sandbox.url)), port=0, data_path=data_path) as running:
        yield running


def ask(server: Server, service: str, path: str, body: dict[str, object], fault: str) -> httpx2.Response:
    """Send one request that the sandbox serves with *fault*."""
    return httpx2.post(f"{server.url}/{service}{path}", json=body, headers={"x-sandbox-fault": fault}, timeout=10)


def check_failed(server: Server, sandbox: Sandbox, service: str, complaint: str) -> CallRow:
    """Check that the call is on record as one that stalled, nothing is held for it any more, and nobody reads it."""
    (row,) = server.governor.ledger.reader.calls(CallFilter(), limit=500).items
    assert (row.status, row.error) == ("failed", f"StallError: {complaint}")
    now = server.governor.clock.moment()
    assert [view.reserved for view in server.governor.state.budgets(now)] == [0]
    assert {view.service: view.state for view in server.governor.state.breakers(now)}[service] == "open"
    sandbox.wait_until(lambda stats: stats.under_way == 0 and stats.streams_open == 0)
    assert sandbox.stats().aborted == 1
    return row


@pytest.mark.parametrize(("service", "path", "body", "_kind"), WAYS)
def test_no_head_in_time_is_a_504(
    gateway: Server, sandbox: Sandbox, service: str, path: str, body: dict[str, object], _kind: str
) -> None:
    """The client learns it as a time-out, well before the service's own; the upstream is let go."""
    answer = ask(gateway, service, path, body, "hang")

    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 504
    row = check_failed(gateway, sandbox, service, "no first token within 200ms")
    assert (row.duration_us or 0) < 5_000_000


@pytest.mark.parametrize(("service", "path", "body", "kind"), WAYS)
@pytest.mark.parametrize(
    ("fault", "complaint"), [("hang=1", "no first token within 200ms"), ("hang=8", "nothing came for 150ms")]
)
def test_after_the_head_an_event_tells_of_it(
    gateway: Server,
    sandbox: Sandbox,
    service: str,
    path: str,
    body: dict[str, object],
    kind: str,
    fault: str,
    complaint: str,
) -> None:
    """The stream ends as HTTP wants it, with an error in the provider's shape as its last event."""
    answer = ask(gateway, service, path, body, fault)

    assert answer.status_code == 200
    error = json.loads(answer.text.rstrip().rpartition("data: ")[2])
    assert error["error"]["type"] == kind
    assert complaint in error["error"]["message"]
    row = check_failed(gateway, sandbox, service, complaint)
    assert row.estimated


def test_sdks_raise_it_as_an_error_of_the_provider(gateway: Server, sandbox: Sandbox) -> None:
    """In the middle of a stream, with the words of the gateway."""
    sandbox.fault("hang=8", times=2)
    ours = openai.OpenAI(api_key="k", base_url=f"{gateway.url}/openai/v1", max_retries=0)
    with ours as client, pytest.raises(openai.APIError, match="nothing came for 150ms"):
        list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))
    theirs = anthropic.Anthropic(api_key="k", base_url=f"{gateway.url}/anthropic", max_retries=0)
    with theirs as client, pytest.raises(anthropic.APIError, match="nothing came for 150ms"):
        list(client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}], stream=True))


def test_a_steady_stream_is_left_alone(gateway: Server) -> None:
    """However long it takes as a whole."""
    answer = ask(gateway, "openai", "/v1/chat/completions", CHAT, "chunk_delay=40ms")
    assert answer.text.rstrip().endswith("[DONE]")
    (row,) = gateway.governor.ledger.reader.calls(CallFilter(), limit=500).items
    assert row.status == "ok"
