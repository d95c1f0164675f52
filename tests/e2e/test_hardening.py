"""Hostile clients and hostile upstreams, black-box over sockets: any gateway path has to stand this.

The gateway is asked for by its URL alone. Behind it are two raw upstreams that note every byte: the
configured one, and a *canary*, which is configured nowhere and must never be reached.
"""

from __future__ import annotations

import contextlib
import gzip
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest

from switchgear.config import load_text
from switchgear.server import Server

pytestmark = pytest.mark.e2e

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CONFIG = """
[services.up]
base_url = "{url}/base"
limits = {{}}
max_wait = "0s"
timeout = "5s"
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
"""
PATIENCE: Final = 5.0


class Upstream:
    """An HTTP server of the simplest kind: notes what it gets, and gives *answer* to every request."""

    def __init__(self) -> None:
        self.answer = OK
        self.seen: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    piece = link.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
                wanted = int(length[1]) if length else 0
                chunked = b"chunked" in head.lower()
                while len(buffer) < wanted or (chunked and b"0\r\n\r\n" not in buffer):
                    piece = link.recv(65536)
                    if not piece:
                        return
                    buffer += piece
                at = buffer.index(b"0\r\n\r\n") + 5 if chunked else wanted
                self.seen.append(head + b"\r\n\r\n" + buffer[:at])
                buffer = buffer[at:]
                link.sendall(self.answer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def one_upstream() -> Iterator[Upstream]:
    """The configured upstream, for all tests."""
    one = Upstream()
    yield one
    one.close()


@pytest.fixture
def upstream(one_upstream: Upstream) -> Upstream:
    """The configured upstream, as if new."""
    one_upstream.answer = OK
    one_upstream.seen.clear()
    return one_upstream


@pytest.fixture
def canary() -> Iterator[Upstream]:
    """A server that nothing may reach."""
    one = Upstream()
    yield one
    assert one.seen == []
    one.close()


@pytest.fixture(scope="module", params=["hot", "plain"])
def gateway(
    request: pytest.FixtureRequest, one_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a running gateway in front of the upstream, on each data path."""
    ledger = f'[ledger]\nurl = "sqlite:///{tmp_path_factory.mktemp("ledger")}/ledger.db"\n'
    config = load_text(ledger + CONFIG.format(url=f"http://127.0.0.1:{one_upstream.port}"), environ={})
    with Server(config, port=0, data_path=request.param) as running:
        yield running.url


def _port(gateway: str) -> int:
    port = urlsplit(gateway).port
    assert port is not None
    return port


def _say(gateway: str, raw: bytes, *, patience: float = 0.5) -> bytes:
    """Send *raw* and return everything that comes until the gateway closes or says nothing for *patience* seconds."""
    with socket.create_connection(("127.0.0.1", _port(gateway)), timeout=patience) as link:
        with contextlib.suppress(OSError):
            link.sendall(raw)
        received = b""
        with contextlib.suppress(OSError):
            while piece := link.recv(65536):
                received += piece
        return received


def _statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


def _request(target: bytes = b"/up/x", *headers: bytes, method: bytes = b"POST", body: bytes = b"") -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"host: 127.0.0.1", b"connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _alive(gateway: str) -> None:
    """Check that the gateway still serves others."""
    assert 200 in _statuses(_say(gateway, _request(b"/healthz", method=b"GET"), patience=PATIENCE))


SMUGGLED: Final = b"GET /up/smuggled HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([b"content-length: 4", b"transfer-encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked", b"content-length: 4"], b"0\r\n\r\n" + SMUGGLED),
        ([b"content-length: 2", b"content-length: 60"], b"{}" + SMUGGLED),
        ([b"content-length: 60, 2"], b"{}" + SMUGGLED),
        ([b"content-length: +2"], b"{}" + SMUGGLED),
        ([b"content-length: 0x2"], b"{}" + SMUGGLED),
        ([b"content-length: -2"], b"{}" + SMUGGLED),
        ([b"content-length: 2 2"], b"{}" + SMUGGLED),
        ([b"transfer-encoding: xchunked"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: identity, chunked, identity"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding : chunked"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked", b"transfer-encoding: identity"], b"0\r\n\r\n" + SMUGGLED),
        ([b"x: 1\n transfer-encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding:\x0bchunked"], b"0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked"], b"-1\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked"], b"2;a=\nb\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked"], b"fffffffffffffffff2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked"], b"2\r\n{}X\r\n0\r\n\r\n" + SMUGGLED),
        ([b"transfer-encoding: chunked"], b"0x2\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
    ],
)
def test_two_readings_of_one_request_are_never_both_made(
    gateway: str, upstream: Upstream, headers: list[bytes], body: bytes
) -> None:
    """An ambiguous request is refused, or goes on as one request whose length has one meaning."""
    received = _say(gateway, _request(b"/up/x", *headers, body=body))

    assert [status for status in _statuses(received) if status >= 500] in ([], [501])
    for one in upstream.seen:
        head = one.partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"post /base/x http/1.1")
        assert head.count(b"\r\ncontent-length:") + head.count(b"\r\ntransfer-encoding:") <= 1
    assert len(upstream.seen) <= 1
    _alive(gateway)


@pytest.mark.parametrize(
    "header",
    [
        b"x-a: 1\r\n x-folded: 2",
        b"x-a: 1\r\n\tx-folded: 2",
        b"x-a: 1\nx-bare: 2",
        b"x-a: a\x00b",
        b"x-a: a\rx-cr: 2",
        b"x a: 1",
        b": 1",
        b"x-a",
        b"x\x00a: 1",
        b"x-\xff: 1",
    ],
)
def test_no_header_becomes_two(gateway: str, upstream: Upstream, header: bytes) -> None:
    """What is no header is refused or dropped; nothing of it arrives as a line of its own, or as a raw control byte."""
    received = _say(gateway, _request(b"/up/x", header, b"content-length: 0"))

    assert not [status for status in _statuses(received) if status >= 500]
    for one in upstream.seen:
        head = one.partition(b"\r\n\r\n")[0]
        assert b"\x00" not in head
        for line in head.split(b"\r\n")[1:]:
            assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*", line), line
            assert not line.lower().startswith((b"x-cr", b"x-folded"))
    _alive(gateway)


@pytest.mark.parametrize(
    "target",
    [
        b"/up//x",
        b"/up/../../x",
        b"/up/%2e%2e/%2e%2e/x",
        b"/up/..%2f..%2fx",
        b"/up/%2f%2f{canary}/x",
        b"/up//{canary}/x",
        b"/up/@{canary}/x",
        b"/up/\\\\{canary}/x",
        b"/up/x?y=http://{canary}/",
        b"/up/x#@{canary}/",
        b"/up@{canary}/x",
        b"/up:80@{canary}/x",
        b"//{canary}/up/x",
        b"//{canary}/x",
        b"/%2f{canary}/x",
        b"/../up/x",
        b"/./up/x",
        b"/up/%00x",
        b"/up/%0d%0aX-Injected:%201",
        b"/up/%20HTTP/1.1%0d%0aHost:%20{canary}",
        b"http://{canary}/up/x",
        b"http://{canary}/x",
        b"http://u:p@{canary}/up/x",
        b"https://{canary}/up/x",
        b"*",
        b"{canary}",
        b"up/x",
        b"",
        b"/" + b"a" * 5000,
        b"/up/" + b"%ff" * 100,
    ],
)
def test_only_the_configured_upstream_is_ever_reached(
    gateway: str, upstream: Upstream, canary: Upstream, target: bytes
) -> None:
    """Whatever the target says: what goes out goes below the base URL, at the configured host, on one request line."""
    at = b"127.0.0.1:%d" % canary.port
    asked = target.replace(b"{canary}", at)
    received = b"".join(_say(gateway, _request(asked, method=method)) for method in (b"GET", b"CONNECT", b"OPTIONS"))

    assert not [status for status in _statuses(received) if status >= 500]
    for one in upstream.seen:
        head = one.partition(b"\r\n\r\n")[0]
        line, *fields = head.split(b"\r\n")
        assert re.fullmatch(rb"(?:GET|OPTIONS|CONNECT) /base/[^\s\x00]* HTTP/1\.1", line), line
        assert [field for field in fields if field.lower().startswith(b"host:")] == [
            b"host: 127.0.0.1:%d" % upstream.port
        ]
        assert not [field for field in fields if field.lower().startswith(b"x-injected")]
    assert canary.seen == []
    _alive(gateway)


def test_a_host_of_another_name_reaches_nothing(gateway: str, upstream: Upstream, canary: Upstream) -> None:
    """Neither Host nor its forwarded cousins choose where a request goes."""
    at = b"127.0.0.1:%d" % canary.port
    spoofs = [b"x-forwarded-host: " + at, b"forwarded: host=" + at, b"x-original-url: http://" + at, b"x-host: " + at]
    _say(gateway, _request(b"/up/x", *spoofs, b"content-length: 0"))
    assert len(upstream.seen) == 1
    raw = _request(b"/up/x", b"content-length: 0").replace(b"host: 127.0.0.1", b"host: " + at)
    _say(gateway, raw)
    received = _say(gateway, _request(b"/up/x", b"host: evil.example", b"content-length: 0"))
    assert not [status for status in _statuses(received) if status >= 500]
    assert all(b"evil.example" not in one for one in upstream.seen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(gateway: str, upstream: Upstream, canary: Upstream, status: int) -> None:
    """They are the client's business."""
    upstream.answer = b"HTTP/1.1 %d Moved\r\nlocation: http://127.0.0.1:%d/x\r\ncontent-length: 0\r\n\r\n" % (
        status,
        canary.port,
    )
    received = _say(gateway, _request(b"/up/x", b"content-length: 2", body=b"{}"))

    assert _statuses(received) == [status]
    assert len(upstream.seen) == 1


def test_what_is_oversized_is_refused(gateway: str, upstream: Upstream) -> None:
    """A head of a megabyte, thousands of headers, a body that is announced as larger than any."""
    for raw in (
        _request(b"/up/x", b"x-a: " + b"a" * 1_000_000, b"content-length: 0"),
        _request(b"/up/" + b"a" * 1_000_000, method=b"GET"),
    ):
        received = _say(gateway, raw, patience=PATIENCE)
        assert not _statuses(received) or 400 <= _statuses(received)[0] < 500
    assert upstream.seen == []
    _alive(gateway)


def test_slow_heads_and_half_open_connections_hold_nobody_up(gateway: str, upstream: Upstream) -> None:
    """Two hundred clients that never finish, and some that vanish: the next one is served at once."""
    starts = [b"GET /up/x HT", b"POST /up/x HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 99\r\n\r\n{", b""]
    with contextlib.ExitStack() as stack:
        for number in range(200):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", _port(gateway)), timeout=PATIENCE))
            link.sendall(starts[number % len(starts)])
            if number % 5 == 0:
                link.shutdown(socket.SHUT_WR)
        begun = time.monotonic()
        assert _statuses(_say(gateway, _request(b"/up/y", b"content-length: 0"))) == [200]
        assert time.monotonic() - begun < PATIENCE
        assert [one.partition(b" HTTP")[0] for one in upstream.seen] == [b"POST /base/y"]
    _alive(gateway)


def test_a_bomb_passes_as_it_came(gateway: str, upstream: Upstream) -> None:
    """A gigabyte behind a megabyte of gzip, as request and as answer: the bytes pass, and nobody unpacks them."""
    bomb = gzip.compress(bytes(1 << 20), 9)
    packed = bomb * 1024  # members of gzip, one behind the other: a gigabyte
    upstream.answer = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
        % len(packed)
        + packed
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    head = [b"content-encoding: gzip", b"content-type: application/json", b"content-length: %d" % len(packed)]
    received = _say(gateway, _request(b"/up/x", *head, body=packed), patience=PATIENCE)

    assert received.partition(b"\r\n\r\n")[2] == packed
    assert upstream.seen[0].partition(b"\r\n\r\n")[2] == packed
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10  # in KiB
    _alive(gateway)


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: 1\nx-b: 2\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-a: " + b"a" * 2_000_000 + b"\r\n\r\n",
    ],
    ids=["no-http", "two-lengths", "bad-chunk", "bare-lf", "odd-status", "huge-head"],
)
def test_a_broken_upstream_breaks_one_call(gateway: str, upstream: Upstream, answer: bytes) -> None:
    """The client gets its answer, a 502, or a connection that ends; the gateway goes on."""
    upstream.answer = answer
    received = _say(gateway, _request(b"/up/x", b"content-length: 0"))

    assert not [status for status in _statuses(received)[:1] if status == 500]
    upstream.answer = OK
    _alive(gateway)
