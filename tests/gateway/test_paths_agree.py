"""The hot path and the plain one give the client, and the upstream, the same."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import pytest

from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

Origin = Any  # the fixture's class lives in conftest.py, which tests can't import from

OURS = (b"x-switchgear-call-id", b"x-switchgear-wait-ms")
CHAT = json.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
STREAM = json.dumps(
    {"model": "m", "stream": True, "stream_options": {"include_usage": True}, "max_tokens": 5, "messages": []}
).encode()
ANSWER = b'{"model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}'
EVENTS = [
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}\n\n',
    b"data: [DONE]\n\n",
]


def rows_of(server: Server) -> tuple[CallRow, ...]:
    """Return the rows of the ledger, the newest first."""
    return server.governor.ledger.reader.calls(CallFilter(), limit=500).items


def talk(server: Server, data: bytes) -> bytes:
    """Send *data*, and return all that comes until the connection is closed."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as one:
        one.sendall(data)
        got = b""
        while piece := one.recv(65536):
            got += piece
    return got


def ask(body: bytes = CHAT, *, method: str = "POST", path: str = "/v1/chat/completions", head: str = "") -> bytes:
    """Return the bytes of a request, after which the connection closes."""
    first = f"{method} /raw{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{head}"
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{first}{length}\r\n".encode() + body


def parts(message: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return the first line, the headers with names in lower case and without those that differ by call, the body."""
    head, _, body = message.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    named = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
    return first, [name + b": " + value for name, value in named if name not in OURS], body


def dechunked(body: bytes) -> bytes:
    """Return what a chunked *body* carries; it has to end as it should."""
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            assert body == b"\r\n"
            return whole
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


def head(status: str, body: bytes, *more: str) -> bytes:
    """Return an answer with its length."""
    lines = [f"HTTP/1.1 {status}", *more, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def chunks(status: str, pieces: list[bytes], *more: str) -> bytes:
    """Return an answer in chunks."""
    lines = [f"HTTP/1.1 {status}", *more, "Transfer-Encoding: chunked", "", ""]
    return "\r\n".join(lines).encode() + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


JSON = "Content-Type: application/json"
SSE = "Content-Type: text/event-stream"
CASES: dict[str, tuple[bytes, bytes]] = {
    "json": (ask(), head("200 OK", ANSWER, JSON, "X-Request-Id: abc", "Set-Cookie: a=1", "Set-Cookie: b=2")),
    "json in chunks": (ask(), chunks("200 OK", [ANSWER[:9], ANSWER[9:]], JSON, "Trailer: x")),
    "until the end": (ask(), b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + ANSWER),
    "gzip": (ask(), head("200 OK", gzip.compress(ANSWER, mtime=0), JSON, "Content-Encoding: gzip")),
    "hints first": (ask(), b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + head("200 OK", ANSWER, JSON)),
    "bytes above ASCII": (
        ask(head="X-Name: caf\u00e9\r\n"),
        head("200 OK", ANSWER, JSON, "X-Place: caf\u00e9"),
    ),
    "an error": (ask(), head("429 Too Many Requests", b'{"error":{}}', JSON, "Retry-After: 1")),
    "an empty error": (ask(), head("503 Service Unavailable", b"")),
    "a redirect": (ask(), head("302 Found", b"", "Location: http://elsewhere.test/")),
    "no content": (ask(b"", method="DELETE", path="/v1/files/1"), b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n"),
    "not modified": (ask(b"", method="GET", path="/v1/models"), b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"),
    "head": (ask(b"", method="HEAD", path="/v1/models"), b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"),
    "binary": (ask(path="/v1/audio/speech"), head("200 OK", bytes(range(256)) * 99, "Content-Type: audio/mpeg")),
    "connection names": (ask(), head("200 OK", ANSWER, JSON, "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5")),
    "stream": (ask(STREAM), chunks("200 OK", EVENTS, SSE)),
    "stream in one": (ask(STREAM), chunks("200 OK", [b"".join(EVENTS)], SSE)),
    "stream in splinters": (ask(STREAM), chunks("200 OK", [bytes([one]) for one in b"".join(EVENTS)], SSE)),
    "stream until the end": (ask(STREAM), b"HTTP/1.1 200 OK\r\n" + SSE.encode() + b"\r\n\r\n" + b"".join(EVENTS)),
    "asked for usage": (ask(STREAM.replace(b"true}", b"false}")), chunks("200 OK", EVENTS, SSE)),
}
ENDLESS = {"until the end", "stream until the end"}


@pytest.mark.parametrize("name", CASES)
def test_client_and_upstream_see_the_same_on_both_paths(pair: tuple[Server, Server], origin: Origin, name: str) -> None:
    """Status, headers in order and body are equal; so is the request, and what the ledger says."""
    request, answer = CASES[name]

    def last(connection: socket.socket) -> bool:
        connection.sendall(answer)
        return False

    origin.answers.append(last if name in ENDLESS else answer)
    hot, plain = pair
    ours, theirs = parts(talk(hot, request)), parts(talk(plain, request))
    assert ours[:2] == theirs[:2]
    if b"transfer-encoding: chunked" in ours[1]:
        assert dechunked(ours[2]) == dechunked(theirs[2])
    else:
        assert ours[2] == theirs[2]
    assert parts(origin.requests[0]) == parts(origin.requests[1])
    rows = [rows_of(hot), rows_of(plain)]
    told = [[(row.status, row.http_status, row.cost, row.error, row.output_tokens) for row in some] for some in rows]
    assert told[0] == told[1]
    assert "reserved" not in {row.status for some in rows for row in some}


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "no http": b"SSH-2.0-x\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_a_502_and_a_failure_on_both_paths(
    pair: tuple[Server, Server], origin: Origin, name: str
) -> None:
    """What is no answer is told as ours, and is on record."""

    def breaks(connection: socket.socket) -> bool:
        connection.sendall(BROKEN[name])
        return False

    origin.answers.append(breaks)
    for server in pair:
        assert parts(talk(server, ask()))[0] == b"HTTP/1.1 502 Bad Gateway"
        row = rows_of(server)[0]
        assert (row.status, row.error) == ("failed", "RemoteProtocolError")
