from __future__ import annotations

import asyncio
import hashlib
import json
import socket

import httpx2
import pytest

from switchgear.config.model import ServerConfig
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

LONGEST = ServerConfig().max_body_bytes
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}


def _rows(server: Server) -> tuple[CallRow, ...]:
    return server.governor.ledger.reader.calls(CallFilter(), limit=500).items


def _fault(text: str) -> dict[str, str]:
    return {"x-sandbox-fault": text}


def test_body_path_query_and_headers_reach_the_upstream_as_sent(
    client: httpx2.Client, server: Server, sandbox: Sandbox
) -> None:
    """The upstream sees the client's bytes; only hop-by-hop and our own headers are missing."""
    body = b'{ "model":"m" ,\n "messages":[{"role":"user","content":"h\\u00e9"}] , "max_tokens": 5 }'
    sent = {"authorization": "Bearer own-key", "x-custom": "1", "x-switchgear-job": "j", "te": "trailers"}
    client.post("/llm/v1/chat/completions?a=%2Fb&c=d%20e", content=body, headers=sent)
    (got,) = sandbox.requests
    received = {name.lower(): value for name, value in got.headers}
    assert got.path == "/v1/chat/completions"
    assert got.sha256 == hashlib.sha256(body).hexdigest()
    assert received["authorization"] == "Bearer own-key"
    assert received["x-custom"] == "1"
    assert received["host"] == sandbox.url.removeprefix("http://")
    assert not [name for name in received if name.startswith("x-switchgear") or name == "te"]
    assert _rows(server)[0].job == "j"


def test_the_answer_passes_with_its_status_and_headers(client: httpx2.Client, sandbox: Sandbox) -> None:
    """What the upstream says is what the client gets, plus who we are and what it cost."""
    direct = httpx2.post(f"{sandbox.url}/v1/chat/completions", json=CHAT)
    ours = client.post("/llm/v1/chat/completions", json=CHAT)
    same = {"content-type", "content-length"}
    assert {name: ours.headers[name] for name in same} == {name: direct.headers[name] for name in same}
    assert ours.json()["choices"] == direct.json()["choices"]
    assert ours.json()["usage"] == direct.json()["usage"]
    assert len(ours.headers["x-switchgear-call-id"]) == 26
    assert ours.headers["x-switchgear-cost-usd"] == "0.000012"
    assert int(ours.headers["x-switchgear-wait-ms"]) >= 0


def test_an_error_of_the_provider_passes_unchanged(client: httpx2.Client, server: Server) -> None:
    """A 503 of the provider is its own 503, on record as a failure without cost."""
    answer = client.post("/llm/v1/chat/completions", json=CHAT, headers=_fault("status=503;retry_after=7"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert "x-switchgear-refused" not in answer.headers
    (row,) = _rows(server)
    assert (row.status, row.http_status, row.cost, row.error) == ("failed", 503, 0, "HTTP 503 server_error")


def test_an_error_of_the_caller_is_no_failure_of_the_service(client: httpx2.Client, server: Server) -> None:
    """A 400 counts nothing in the breaker's window."""
    assert client.post("/llm/v1/chat/completions", json={"model": "m"}).status_code == 400
    view = next(one for one in server.governor.state.breakers(server.governor.clock.moment()) if one.service == "llm")
    assert (view.calls, view.failures) == (0, 0)


def test_a_stream_passes_as_it_comes_and_is_settled_before_its_end(client: httpx2.Client, server: Server) -> None:
    """When the client reads the last event, the call is settled in the ledger."""
    lines: list[str] = []
    with client.stream("POST", "/llm/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
        for line in answer.iter_lines():
            lines += [line] if line else []
            if line == "data: [DONE]":
                (row,) = _rows(server)
                assert (row.status, row.output_tokens, row.streamed, row.estimated) == ("ok", 5, True, False)
                assert row.ttft_us is not None
    assert lines[-1] == "data: [DONE]"
    assert not [line for line in lines if '"usage":{' in line]
    assert "x-switchgear-cost-usd" not in answer.headers


def test_a_stream_that_asked_for_usage_gets_it(client: httpx2.Client, sandbox: Sandbox) -> None:
    """With include_usage of its own the client's stream is byte for byte the provider's."""
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    ours = client.post("/llm/v1/chat/completions", json=body)
    usage = [json.loads(line[6:])["usage"] for line in ours.text.splitlines() if line.startswith("data: {")]
    assert usage[-1]["completion_tokens"] == 5
    assert usage[:-1] == [None] * (len(usage) - 1)


def test_a_cut_stream_is_a_failure_with_an_estimate(client: httpx2.Client, server: Server) -> None:
    """A stream that breaks off breaks off for the client too; what came is charged as an estimate."""
    with pytest.raises(httpx2.RemoteProtocolError):
        client.post("/llm/v1/chat/completions", json={**CHAT, "stream": True}, headers=_fault("cut=3"))
    (row,) = _rows(server)
    assert (row.status, row.estimated) == ("failed", True)
    assert row.cost


def test_a_refusal_speaks_the_providers_language(client: httpx2.Client, sandbox: Sandbox) -> None:
    """Over the limit Anthropic's clients get Anthropic's error, with the rule and when to retry."""
    body = {**CHAT, "model": "m"}
    assert client.post("/claude/v1/messages", json=body).status_code == 200
    answer = client.post("/claude/v1/messages", json=body)
    assert answer.status_code == 429
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert answer.json()["switchgear"]["rule"] == "requests_per_minute"
    assert 50 < int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-switchgear-refused"] == "rate_limit"
    assert sandbox.stats().received == 1


def test_an_upstream_that_is_not_there_is_a_502_and_opens_the_breaker(client: httpx2.Client, server: Server) -> None:
    """A dead service answers 502 until its breaker opens, then 503 with when to retry."""
    codes = [client.post("/dead/v1/chat/completions", json=CHAT).status_code for _ in range(3)]
    assert codes == [502, 502, 503]
    newest, *failed = _rows(server)
    assert (newest.status, newest.refused_by) == ("refused", "breaker")
    assert [(row.status, row.cost, row.error) for row in failed] == [("failed", 0, "ConnectError")] * 2


def test_an_unknown_service_lists_the_known_ones(client: httpx2.Client) -> None:
    """A path that names no service is a 404 that says which there are."""
    answer = client.post("/opnai/v1/chat/completions", json=CHAT)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "llm" in answer.json()["services"]


def test_a_service_without_an_address_can_not_be_reached_by_http(client: httpx2.Client) -> None:
    """A service that only Python uses says so."""
    answer = client.get("/function/x")
    assert answer.status_code == 404
    assert "gov.protect" in answer.json()["detail"]


def test_a_body_that_is_no_json_passes_untouched_or_is_refused_as_set(
    client: httpx2.Client, server: Server, sandbox: Sandbox
) -> None:
    """Where unpriced calls are refused it is refused; a service with prices for anything lets it through."""
    body = b"\x00\xffnot json"
    refused = client.post("/strict/v1/chat/completions", content=body)
    assert (refused.status_code, refused.headers["x-switchgear-refused"]) == (402, "unpriced")
    assert client.post("/web/upload", content=body).status_code == 200
    assert sandbox.requests[0].sha256 == hashlib.sha256(body).hexdigest()
    assert sandbox.requests[0].path == "/prefix/upload"
    assert _rows(server)[0].endpoint == "/upload"
    assert _rows(server)[0].cost == 1_000_000


def test_listing_models_is_free(client: httpx2.Client, server: Server) -> None:
    """What no provider bills is no unpriced call."""
    assert client.get("/strict/v1/models").status_code == 200
    assert _rows(server)[0].cost == 0


@pytest.mark.parametrize("streamed", [True, False])
def test_budget_11_a_client_that_leaves_takes_the_upstream_call_with_it(
    server: Server, sandbox: Sandbox, *, streamed: bool
) -> None:
    """The upstream sees the end at once, and the call is on record as cancelled, at an estimate."""
    body = json.dumps({**CHAT, "stream": streamed, "max_tokens": 500}).encode()
    slow = "chunk_delay=100ms;output=500" if streamed else "hang"
    head = (
        "POST /llm/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"x-sandbox-fault: {slow}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as one:
        one.sendall(head.encode() + body)
        sandbox.wait_until(lambda stats: stats.received == 1)
        if streamed:
            assert b"data:" in one.recv(65536) + one.recv(65536)
    sandbox.wait_until(lambda stats: stats.aborted == 1)
    deadline = server.governor.clock.monotonic() + 5
    while _rows(server)[0].status == "reserved" and server.governor.clock.monotonic() < deadline:
        pass
    (row,) = _rows(server)
    assert (row.status, row.estimated) == ("cancelled", True)
    assert row.cost


async def test_budget_01_two_hundred_parallel_requests_on_room_for_three(server: Server, sandbox: Sandbox) -> None:
    """Through the gateway exactly three go out, and the rest are refused by the budget."""
    worst = {"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 450}
    async with httpx2.AsyncClient(base_url=server.url, timeout=30, limits=httpx2.Limits(max_connections=200)) as one:
        headers = {"x-switchgear-job": "three", **_fault("latency=300ms")}
        answers = await asyncio.gather(
            *(one.post("/llm/v1/chat/completions", json=worst, headers=headers) for _ in range(200))
        )
    codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(402)) == (3, 197)
    assert sandbox.stats().received == 3


def test_a_body_beyond_the_bound_is_turned_away(server: Server) -> None:
    """An upload larger than the gateway takes is a 413, not a full memory."""
    head = f"POST /web/x HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {LONGEST + 1}\r\n\r\n".encode()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as one:
        one.sendall(head)
        chunk = b"x" * (1024 * 1024)
        for _ in range(LONGEST // len(chunk)):
            one.sendall(chunk)
        one.sendall(b"x")
        assert one.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", ["/", "/api/health", "/llm/v1/models"])
@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("127.0.0.1.evil.example:80", 421), ("localhost:1", 200), ("[::1]:1", 200)],
)
def test_a_foreign_name_is_turned_away(client: httpx2.Client, path: str, host: str, status: int) -> None:
    """A browser that was led here under another name (DNS rebinding) sees nothing and spends nothing."""
    assert client.get(path, headers={"host": host}).status_code == status
