"""Calls that go without a task: the same as with one, also where something is wrong with us."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest

from switchgear.governor.exchange import Exchange
from switchgear.ledger.views import CallFilter
from switchgear.server import Server

Origin = Any  # the fixture's class lives in conftest.py, which tests can't import from

ANSWER = b'{"model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}'


def connect(server: Server) -> socket.socket:
    """Return a connection to *server*."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def ask(text: str) -> bytes:
    """Return a request whose body holds *text*."""
    body = json.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": text}]}).encode()
    head = (
        "POST /raw/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Mine: a\r\nContent-Type: application/json\r\n"
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answer(body: bytes = ANSWER, *, chunked: bool = False) -> bytes:
    """Return what the upstream says."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Id: %d\r\n" % len(body)
    if chunked:
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def whole(one: socket.socket, end: bytes) -> bytes:
    """Return what comes until *end*, without the lines that differ from call to call."""
    data = b""
    while not data.endswith(end):
        piece = one.recv(65536)
        assert piece, data
        data += piece
    return b"\r\n".join(line for line in data.split(b"\r\n") if not line.startswith((b"x-switchgear-", b"date")))


@pytest.mark.parametrize("chunked", [False, True])
def test_calls_on_one_connection_are_what_they_are_on_the_plain_path(
    pair: tuple[Server, Server], origin: Origin, *, chunked: bool
) -> None:
    """The same head with other bodies, short and long, there and back: the same bytes on both paths."""
    filled = ANSWER[:-1] + b',"text":"%b"}' % (b"x" * 200_000)
    got: list[list[bytes]] = []
    for server in pair:
        origin.answers[:] = [answer(), answer(filled, chunked=chunked), answer(ANSWER + b" ")]
        seen = []
        with connect(server) as one:
            for text, end in (("hi", ANSWER), ("ho" * 1000, b"0\r\n\r\n" if chunked else filled), ("", b" ")):
                one.sendall(ask(text))
                seen.append(whole(one, end).partition(b"\r\n\r\n")[2])
        got.append(seen + [request.partition(b"\r\n\r\n")[2] for request in origin.requests])
        origin.requests.clear()
    hot, plain = got
    assert hot == plain
    assert len(hot) == 6
    assert filled in hot[1]


def test_an_error_of_ours_ends_one_call_and_settles_it(
    pair: tuple[Server, Server], origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asked finds the connection closed; the ledger has the call as failed; the next one is served."""
    server, _ = pair
    feed = Exchange.feed

    def broken(self: Exchange, chunk: bytes) -> bytes:
        if b"poison" in chunk:
            msg = "nobody has thought of this"
            raise RuntimeError(msg)
        return feed(self, chunk)

    monkeypatch.setattr(Exchange, "feed", broken)
    origin.answers[:] = [answer(), answer(b'{"poison":1}'), answer()]
    with connect(server) as one, connect(server) as other:
        one.sendall(ask("first"))
        assert whole(one, ANSWER)
        one.sendall(ask("second"))
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(1) == b""
        other.sendall(ask("third"))
        assert b"200 OK" in whole(other, ANSWER)
    reader = server.governor.ledger.reader
    newest, bad = reader.calls(CallFilter(), limit=2).items
    assert (newest.status, bad.status, bad.error) == ("ok", "failed", "RuntimeError")
