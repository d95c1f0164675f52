"""What ``[server]`` and a service say of sizes, times and connections is what happens."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import httpx2
import pytest

from switchgear.config import Config
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

CONFIG = """
[server]
max_head_bytes = 2048
max_body_bytes = 4000
client_timeout = "300ms"

[services.raw]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
timeout = "600ms"
connect_timeout = "200ms"
max_connections = 1
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
"""
CHAT = {"model": "m", "max_tokens": 9, "messages": []}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"


class Upstream(Protocol):
    """What this module uses of the fixture *origin*."""

    url: str
    answers: list[bytes | Callable[[socket.socket], bool]]


@pytest.fixture
def gateway(
    origin: Upstream, make_config: Callable[[str], Config], data_path: Literal["hot", "plain"]
) -> Iterator[Server]:
    """A gateway with narrow bounds."""
    with Server(make_config(CONFIG.format(url=origin.url)), port=0, data_path=data_path) as running:
        yield running


def row_of(server: Server) -> CallRow:
    """Return the newest row."""
    return server.governor.ledger.reader.calls(CallFilter()).items[0]


def trickles(kind: bytes) -> Callable[[socket.socket], bool]:
    """Return an upstream that sends a little all the time, and never ends."""

    def trickle(connection: socket.socket) -> bool:
        with contextlib.suppress(OSError):
            connection.sendall(HEAD % kind)
            while True:
                event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
                connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
                time.sleep(0.05)
        return False

    return trickle


def test_a_longer_head_is_turned_away(gateway: Server) -> None:
    """431 beyond server.max_head_bytes, with the number in it; the same for pages."""
    for path in ("/raw/v1/models", "/api/health"):
        answer = httpx2.get(gateway.url + path, headers={"x-long": "x" * 2048})

        assert (answer.status_code, "2,048 bytes" in answer.text) == (431, True)


def test_a_longer_body_is_turned_away(gateway: Server) -> None:
    """413 beyond server.max_body_bytes, with and without a length; one byte less is taken."""
    url = f"{gateway.url}/raw/v1/chat/completions"
    for content in (b"x" * 4001, iter([b"x" * 2001, b"x" * 2000])):
        answer = httpx2.post(url, content=content)

        assert (answer.status_code, "4,000 bytes" in answer.text) == (413, True)


@pytest.mark.parametrize("data_path", ["hot"])
def test_a_slower_client_is_turned_away(gateway: Server) -> None:
    """408 after server.client_timeout without a whole head."""
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as one:
        one.sendall(b"GET /raw/v1/models HTTP/1.1\r\nhost: 12")
        assert one.recv(65536).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("kind", [b"text/event-stream", b"application/json"])
def test_a_call_takes_no_longer_than_its_time_out(gateway: Server, origin: Upstream, kind: bytes) -> None:
    """An answer that keeps coming is cut at the service's timeout: 504 before its head is out, else it breaks off."""
    origin.answers.append(trickles(kind))
    begun = time.monotonic()
    body = {**CHAT, "stream": True} if b"event" in kind else CHAT
    url = f"{gateway.url}/raw/v1/chat/completions"
    if b"event" in kind:
        with httpx2.stream("POST", url, json=body) as answer, pytest.raises(httpx2.RemoteProtocolError):
            answer.read()
    else:
        assert httpx2.post(url, json=body).status_code == 504

    assert 0.55 < time.monotonic() - begun < 3
    row = row_of(gateway)
    assert (row.status, row.error, row.estimated) == ("failed", "ReadTimeout", True)


@pytest.mark.parametrize("data_path", ["hot"])
def test_a_call_waits_for_a_connection_no_longer_than_for_a_new_one(gateway: Server, origin: Upstream) -> None:
    """With all of max_connections in use, a call is a 504 after connect_timeout, and nothing was sent."""
    origin.answers.append(trickles(b"text/event-stream"))
    body = {**CHAT, "stream": True}
    with httpx2.stream("POST", f"{gateway.url}/raw/v1/chat/completions", json=body) as first:
        assert first.status_code == 200
        second = httpx2.post(f"{gateway.url}/raw/v1/chat/completions", json=CHAT)

    assert second.status_code == 504
    assert "PoolTimeout" in json.loads(second.content)["detail"]
    assert row_of(gateway).cost == 0
