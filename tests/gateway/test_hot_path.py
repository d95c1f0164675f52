"""What only the hot path has to see to by itself: framing, order, time-outs, bounds."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from switchgear.clock import MICROS
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

Origin = Any  # the fixture's class lives in conftest.py, which tests can't import from

CHAT = json.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
ANSWER = b'{"model":"m","choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


def connect(server: Server) -> socket.socket:
    """Return a connection to *server*."""
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def ask(body: bytes = CHAT, *, path: str = "/v1/chat/completions", head: str = "") -> bytes:
    """Return the bytes of a request."""
    first = f"POST /raw{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}"
    return f"{first}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def read_answer(one: socket.socket) -> bytes:
    """Return one answer with a length."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = one.recv(1)  # the next answer may be right behind it
        assert piece, head
        head += piece
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    length = int(fields[b"content-length"])
    body = b""
    while len(body) < length:
        body += one.recv(length - len(body))
    return head + body


def read_all(one: socket.socket) -> bytes:
    """Return all that comes until the connection is closed."""
    data = b""
    while piece := one.recv(65536):
        data += piece
    return data


def rows_of(server: Server) -> tuple[CallRow, ...]:
    """Return the rows of the ledger, the newest first."""
    return server.governor.ledger.reader.calls(CallFilter(), limit=500).items


def wait_for(fact: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until *fact* holds; return how long that took."""
    start = time.monotonic()
    while not fact():
        assert time.monotonic() - start < seconds
    return time.monotonic() - start


def dechunked(body: bytes) -> bytes:
    """Return what a chunked *body* carries."""
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return whole
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


HOST = "Host: 127.0.0.1\r\n"
SMUGGLED = "GET /raw/secret HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
LENGTH = "Content-Length: 4\r\n"
REJECTED = {
    "length and chunks": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}{LENGTH}{CHUNKED}\r\n0\r\n\r\n{SMUGGLED}"),
    "chunks and length": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}{CHUNKED}{LENGTH}\r\n0\r\n\r\n{SMUGGLED}"),
    "two lengths": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Content-Length: 0\r\nContent-Length: 5\r\n\r\n{SMUGGLED}"),
    "a signed length": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Content-Length: +5\r\n\r\nabcde"),
    "a negative chunk": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    "a chunk in 0x": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n0x5\r\n"),
    "chunked, then more": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "gzip, chunked": (501, f"POST /raw/x HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "a folded header": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    "a NUL": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    "a bare line feed": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}X: a\nY: b\r\nContent-Length: 0\r\n\r\n"),
    "a space before the colon": (400, f"POST /raw/x HTTP/1.1\r\n{HOST}Content-Length : 0\r\n\r\n"),
    "HTTP/2.0": (505, f"GET /raw/x HTTP/2.0\r\n{HOST}\r\n"),
    "an absolute target": (400, f"GET http://evil.test/raw/x HTTP/1.1\r\n{HOST}\r\n"),
    "CONNECT": (400, f"CONNECT evil.test:443 HTTP/1.1\r\n{HOST}\r\n"),
    "dot segments": (400, f"GET /raw/../api HTTP/1.1\r\n{HOST}\r\n"),
    "encoded dot segments": (400, f"GET /raw/v1/%2e%2E/x HTTP/1.1\r\n{HOST}\r\n"),
    "dots behind an encoded slash": (400, f"GET /raw/v1%2f..%2fx HTTP/1.1\r\n{HOST}\r\n"),
    "dots behind a backslash": (400, f"GET /raw/v1\\..\\x HTTP/1.1\r\n{HOST}\r\n"),
    "a fragment": (400, f"GET /raw/v1#x HTTP/1.1\r\n{HOST}\r\n"),
    "no host": (421, "GET /raw/v1 HTTP/1.1\r\n\r\n"),
    "two hosts": (421, f"GET /raw/v1 HTTP/1.1\r\n{HOST}Host: evil.test\r\n\r\n"),
    "a foreign host": (421, "GET /raw/v1 HTTP/1.1\r\nHost: evil.test\r\n\r\n"),
    "a long head": (431, f"GET /raw/v1 HTTP/1.1\r\n{HOST}X: {'x' * 70_000}\r\n\r\n"),
    "a large body": (413, f"POST /raw/x HTTP/1.1\r\n{HOST}Content-Length: 99999999\r\n\r\nx"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_what_could_be_read_in_two_ways_is_not_passed_on(
    pair: tuple[Server, Server], origin: Origin, name: str
) -> None:
    """It gets an answer of ours and the connection's end; nothing reaches the upstream."""
    status, request = REJECTED[name]
    origin.answers.append(OK)
    with connect(pair[0]) as one:
        one.sendall(request.encode("latin-1"))
        one.shutdown(socket.SHUT_WR)
        got = read_all(one)
    assert got.startswith(b"HTTP/1.1 %d " % status), got[:200]
    assert got.count(b"content-length: ") == 1
    assert origin.requests == []


def test_requests_sent_at_once_are_answered_in_order(pair: tuple[Server, Server], origin: Origin) -> None:
    """Pipelining: each gets its own answer, also if its pieces come in any way."""
    bodies = [json.dumps({"model": "m", "max_tokens": n, "messages": []}).encode() for n in (1, 2, 3)]
    answers = [b'{"usage":{"prompt_tokens":1,"completion_tokens":%d}}' % n for n in (1, 2, 3)]
    origin.answers += [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(one), one)
        for one in answers
    ]
    data = b"".join(ask(body) for body in bodies)
    with connect(pair[0]) as one:
        one.sendall(data[:7])
        one.sendall(data[7:250])
        one.sendall(data[250:])
        got = [read_answer(one) for _ in bodies]
    assert [answer.partition(b"\r\n\r\n")[2] for answer in got] == answers
    assert [request.partition(b"\r\n\r\n")[2] for request in origin.requests] == bodies


def test_a_page_asked_for_behind_a_call_is_not_taken_for_one(pair: tuple[Server, Server], origin: Origin) -> None:
    """Pipelined behind a service's request it finds the connection closed; on its own it is served."""
    page = b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    origin.answers.append(OK)
    with connect(pair[0]) as one:
        one.sendall(ask() + page)
        got = read_all(one)
    assert (got.count(b"HTTP/1.1 200"), len(origin.requests)) == (1, 1)
    with connect(pair[0]) as one:
        one.sendall(ask())
        read_answer(one)
        one.sendall(page)
        assert b'"status"' in read_answer(one)
        one.sendall(ask())  # from here on over ASGI
        assert ANSWER in read_answer(one)


def test_connections_to_the_upstream_are_used_again(pair: tuple[Server, Server], origin: Origin) -> None:
    """One after the other, all calls go over one connection."""
    origin.answers.append(OK)
    before = origin.connections
    with connect(pair[0]) as one:
        for _ in range(5):
            one.sendall(ask())
            read_answer(one)
    assert origin.connections - before <= 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_was_closed_is_replaced(
    pair: tuple[Server, Server], origin: Origin, method: str
) -> None:
    """The upstream closes it after its answer without saying so; nobody notices."""

    def closes(connection: socket.socket) -> bool:
        connection.sendall(OK)
        return False

    origin.answers += [closes, OK]
    body = CHAT if method == "POST" else b""
    with connect(pair[0]) as one:
        for _ in range(2):
            one.sendall(ask(body).replace(b"POST", method.encode()))
            assert read_answer(one).startswith(b"HTTP/1.1 200")
            time.sleep(0.1)  # its end has to reach the gateway


def test_a_call_that_may_have_been_served_is_not_sent_twice(pair: tuple[Server, Server], origin: Origin) -> None:
    """A connection that ends after a POST has arrived is a failure, not a second POST."""

    def drops(_: socket.socket) -> bool:
        return False

    origin.answers += [OK, drops]
    with connect(pair[0]) as one:
        one.sendall(ask())
        read_answer(one)
        one.sendall(ask())
        assert read_answer(one).startswith(b"HTTP/1.1 502")
    assert len(origin.requests) == 2


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_ends_the_upstream_call_at_once(
    pair: tuple[Server, Server], origin: Origin, *, streamed: bool
) -> None:
    """The upstream sees its connection end within a tenth of a second, and the row says cancelled."""
    ended: list[float] = []

    def hangs(connection: socket.socket) -> bool:
        if streamed:
            event = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head + b"%x\r\n%b\r\n" % (len(event), event))
        assert connection.recv(1) == b""
        ended.append(time.monotonic())
        return False

    origin.answers.append(hangs)
    with connect(pair[0]) as one:
        one.sendall(ask(CHAT.replace(b"{", b'{"stream":true,', 1) if streamed else CHAT))
        wait_for(lambda: len(origin.requests) == 1)
        if streamed:
            assert b"200 OK" in one.recv(65536)
        left = time.monotonic()
    wait_for(lambda: bool(ended))
    assert ended[0] - left < 0.5  # on a quiet machine a few milliseconds
    wait_for(lambda: rows_of(pair[0])[0].status == "cancelled")


def test_a_stalled_upstream_is_a_504(pair: tuple[Server, Server], origin: Origin) -> None:
    """After the service's time-out the client is told, and the connection is not used again."""

    def stalls(connection: socket.socket) -> bool:
        return bool(connection.recv(1))

    origin.answers.append(stalls)
    with connect(pair[0]) as one:
        one.sendall(ask())
        assert read_answer(one).startswith(b"HTTP/1.1 504")
    row = rows_of(pair[0])[0]
    assert (row.status, row.error) == ("failed", "ReadTimeout")
    assert 2.9 * MICROS < (row.duration_us or 0) < 6 * MICROS


def test_an_upload_is_passed_on_without_being_kept(pair: tuple[Server, Server], origin: Origin) -> None:
    """A large file goes on as it comes, by length or in chunks, and arrives whole."""
    origin.answers.append(OK)
    piece = bytes(range(256)) * 256
    head = "POST /raw/v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with connect(pair[0]) as one:
        one.sendall(f"{head}Content-Length: {16 * len(piece)}\r\n\r\n".encode())
        for _ in range(16):
            one.sendall(piece)
        assert read_answer(one).startswith(b"HTTP/1.1 200")
        one.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(16):
            one.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        one.sendall(b"0\r\n\r\n")
        assert read_answer(one).startswith(b"HTTP/1.1 200")
    first, second = (request.partition(b"\r\n\r\n") for request in origin.requests)
    assert first[2] == piece * 16
    assert b"transfer-encoding: chunked" in second[0]
    assert dechunked(second[2]) == piece * 16


def test_a_client_may_wait_for_the_word_to_go_on(pair: tuple[Server, Server], origin: Origin) -> None:
    """Expect: 100-continue is answered before the body, and does not reach the upstream as a question."""
    origin.answers.append(OK)
    head, _, body = ask(head="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connect(pair[0]) as one:
        one.sendall(head + b"\r\n\r\n")
        assert one.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        one.sendall(body)
        assert ANSWER in read_answer(one)


def test_a_slow_reader_holds_the_upstream_back(pair: tuple[Server, Server], origin: Origin) -> None:
    """What a client does not read is not read from the upstream either, but for a few buffers."""
    event = b"data: " + b"x" * 60_000 + b"\n\n"
    chunk = b"%x\r\n%b\r\n" % (len(event), event)
    sent = [0]

    def floods(connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(1.0)
        for _ in range(1000):
            connection.sendall(chunk)
            sent[0] += len(chunk)
        return False

    origin.answers.append(floods)
    with connect(pair[0]) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.sendall(ask(CHAT.replace(b"{", b'{"stream":true,', 1)))
        one.recv(1)
        last = -1
        while last != sent[0]:  # until it is stuck
            last = sent[0]
            time.sleep(0.3)
        assert sent[0] < 30_000_000  # nearly all of it in the sockets of this machine
    wait_for(lambda: rows_of(pair[0])[0].status != "reserved")


def test_nothing_stays_reserved(pair: tuple[Server, Server]) -> None:
    """After all that, every row of the ledger is settled."""
    for server in pair:
        assert "reserved" not in {row.status for row in rows_of(server)}
