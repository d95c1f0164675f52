"""Whoever may not come in learns it from the head of the request: nobody reads what follows."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.key_rows import KeyTerms
from switchgear.policies.key_secret import make_secret
from switchgear.server import Server

CONFIG = """
[server]
require_keys = true

[services.llm]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.other]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.function]
kind = "http"
"""
SIZE = 48 * 1024 * 1024
LENGTH = f"Content-Length: {SIZE}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"


@pytest.fixture
def server(
    sandbox: Sandbox, make_config: Callable[[str], Config], data_path: Literal["hot", "plain"]
) -> Iterator[Server]:
    """A gateway that wants keys."""
    with Server(make_config(CONFIG.format(url=sandbox.url)), port=0, data_path=data_path) as running:
        yield running


def connect(server: Server) -> socket.socket:
    """Return a connection to *server*."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(secret: str | None, framing: str, *, service: str = "llm", more: str = "") -> bytes:
    """Return the head of a chat of *secret*'s owner."""
    key = "" if secret is None else f"Authorization: Bearer {secret}\r\n"
    first = f"POST /{service}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{first}{key}{framing}{more}\r\n".encode()


def make_key(server: Server, terms: KeyTerms) -> str:
    """Make a key, and have the server look for it at once."""
    now = server.governor.clock.moment().wall
    _, secret = server.governor.ledger.keys.create("ci", terms, at=now, by="test", expires_at=None)
    server.governor.tick()
    return secret


def secret_of(who: str, server: Server) -> str | None:
    """Return what *who* comes with."""
    if who == "elsewhere":
        return make_key(server, KeyTerms(services=("other",)))
    unknown = make_secret().text
    return {"nobody": None, "unknown": unknown, "mistyped": unknown[:-2] + "__"}[who]


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunks"])
@pytest.mark.parametrize("who", ["nobody", "unknown", "mistyped", "elsewhere"])
def test_the_head_alone_is_enough_for_a_no(server: Server, sandbox: Sandbox, who: str, framing: str) -> None:
    """401 or 403 comes before a byte of the body, and nobody is told to send it."""
    secret = secret_of(who, server)
    with connect(server) as one:
        one.sendall(head(secret, framing, more="Expect: 100-continue\r\n"))
        got = one.recv(65536)
    assert got.startswith(b"HTTP/1.1 403 " if who == "elsewhere" else b"HTTP/1.1 401 "), got
    assert sandbox.requests == ()
    assert sum(server.governor.callers.denials.values()) == 1


def test_who_sends_on_regardless_can_read_the_answer(server: Server, sandbox: Sandbox) -> None:
    """A client that reads only after it has sent everything finds the 401, not a reset; the gateway keeps nothing."""
    piece = bytes(1 << 20)
    with connect(server) as one:
        one.sendall(head(None, LENGTH))
        for _ in range(SIZE // len(piece)):
            one.sendall(piece)
        got = one.recv(65536)
    assert got.startswith(b"HTTP/1.1 401 "), got
    assert sandbox.requests == ()


def test_a_no_ends_no_call_that_is_under_way(server: Server, sandbox: Sandbox) -> None:
    """Pipelined behind a call that may, one that may not gets its answer after it, and the connection goes on."""
    secret = make_key(server, KeyTerms())
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"}]}'
    good = head(secret, f"Content-Length: {len(body)}\r\n") + body
    with connect(server) as one:
        one.sendall(
            good + head(None, "Content-Length: 0\r\n") + good.replace(b"1.1\r\n", b"1.1\r\nConnection: close\r\n")
        )
        got = b""
        while piece := one.recv(65536):
            got += piece
    assert re.findall(rb"HTTP/1\.1 (\d{3})", got) == [b"200", b"401", b"200"]
    sandbox.wait_until(lambda stats: stats.under_way == 0)
    assert len(sandbox.requests) == 2


def test_whoever_is_denied_does_not_learn_what_there_is(server: Server) -> None:
    """A service without an address answers 401 as any other."""
    with connect(server) as one:
        one.sendall(head(None, "Content-Length: 0\r\n", service="function"))
        assert one.recv(65536).startswith(b"HTTP/1.1 401 ")
