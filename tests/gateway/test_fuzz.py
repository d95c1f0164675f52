"""Whatever bytes a client sends, cut up in whatever way: an answer or an end, and nothing bad for the upstream."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Final

import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchgear.config import load_text
from switchgear.ledger.views import CallFilter
from switchgear.server import Server

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CONFIG = """
[services.up]
kind = "http"
base_url = "{url}/base"
timeout = "3s"
unpriced = "allow"
limits = {{}}
breaker = {{ failure_threshold = 100000, minimum_calls = 100000 }}
"""
PATIENCE: Final = 5.0


class _Reading:
    """One connection of the strict upstream: what its parser calls."""

    def __init__(self, link: socket.socket, targets: list[bytes]) -> None:
        self._link = link
        self._targets = targets
        self._target = b""
        self.parser: Final = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._target = b""

    def on_url(self, piece: bytes) -> None:
        self._target += piece

    def on_message_complete(self) -> None:
        self._targets.append(self._target)
        self._link.sendall(OK.removesuffix(b"{}") if self.parser.get_method() == b"HEAD" else OK)


class StrictUpstream:
    """Answers every well-formed request, and notes every other."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.malformed: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        parser = _Reading(link, self.targets).parser
        with link, contextlib.suppress(OSError):
            while data := link.recv(65536):
                try:
                    parser.feed_data(data)
                except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
                    self.malformed.append(f"{error}: {data[:300]!r}")
                    return


@pytest.fixture(scope="module")
def upstream() -> Iterator[StrictUpstream]:
    """The only place that requests may go to; none of them may be malformed."""
    one = StrictUpstream()
    yield one
    one.close()


@pytest.fixture(scope="module")
def server(upstream: StrictUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway on its hot path."""
    ledger = f'[ledger]\nurl = "sqlite:///{tmp_path_factory.mktemp("ledger")}/ledger.db"\n'
    with Server(load_text(ledger + CONFIG.format(url=upstream.url), environ={}), port=0) as running:
        yield running


TOKENS = st.sampled_from([
    b"GET ", b"POST ", b"/up/x", b"/up", b"/", b"/api/health", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b"\r\n",
    b"\n", b"\r", b"\0", b": ", b"host: 127.0.0.1", b"content-length: 2", b"content-length: 0", b"content-length: -1",
    b"transfer-encoding: chunked", b"expect: 100-continue", b"connection: close", b"upgrade: websocket",
    b"connection: upgrade", b"content-type: audio/wav", b"0\r\n\r\n", b"2\r\n{}\r\n", b"ffffffffff\r\n", b"{}",
    b"\xff", b"%2e%2e/", b"..", b"#", b"?", b"\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"a" * 5000,
])  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Well-formed requests for the service, a page, or nothing that is there."""
    target = draw(st.sampled_from([b"/up/x", b"/up/y?z=%20", b"/up", b"/api/health", b"/nothing"]))
    body = draw(st.binary(max_size=60) | st.just(b"x" * 70_000))
    framing, sent = draw(
        st.sampled_from(
            [
                (b"content-length: %d\r\n" % len(body), body),
                (
                    b"transfer-encoding: chunked\r\n",
                    (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n",
                ),
                (b"", b""),
            ]
        )
    )
    more = draw(st.sampled_from([b"", b"connection: close\r\n", b"content-type: audio/wav\r\n", b"x: \xe9\r\n"]))
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"DELETE", b"OPTIONS"]))
    return b"%b %b HTTP/1.1\r\nhost: 127.0.0.1\r\n%b%b\r\n%b" % (method, target, framing, more, sent)


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """What a client sends: requests, noise or both, maybe cut off or with a byte changed, in pieces of any size."""
    noise = st.lists(TOKENS, max_size=12).map(b"".join) | st.binary(max_size=40)
    data = b"".join(draw(st.lists(requests() | requests() | noise, min_size=1, max_size=4)))
    how = draw(st.sampled_from(["whole", "whole", "cut", "changed"]))
    if how != "whole" and data:
        at = draw(st.integers(0, min(len(data) - 1, 400)))
        data = data[:at] + (b"" if how == "cut" else draw(st.binary(min_size=1, max_size=1)) + data[at + 1 :])
    cuts = sorted(draw(st.lists(st.integers(0, min(len(data), 400)), max_size=4)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start < end]


def converse(server: Server, pieces: list[bytes]) -> bytes:
    """Send *pieces*, listen for a moment, hang up one's own side, and return all that came until the gateway's end."""
    host, port = server.url.removeprefix("http://").split(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as one:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                one.sendall(piece)
            one.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                while piece := one.recv(65536):
                    got += piece
            one.settimeout(PATIENCE)
            one.shutdown(socket.SHUT_WR)
            while piece := one.recv(65536):
                got += piece
        except TimeoutError:
            raise  # a hang
        except OSError:
            pass  # the gateway has closed already
    return got


def is_idle(server: Server) -> bool:
    """Return whether no connection and no task is left."""
    running = server._uvicorn  # noqa: SLF001 - nobody else knows of its connections
    return running is not None and not running.server_state.connections and not running.server_state.tasks


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=conversations())
def test_any_bytes_end_well(server: Server, upstream: StrictUpstream, pieces: list[bytes]) -> None:
    """No failure of ours, no hang, and all that goes upstream is a request below the base URL."""
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", converse(server, pieces))]

    assert [status for status in statuses if status >= 500 and status not in {501, 505}] == []
    assert upstream.malformed == []
    assert [target for target in upstream.targets if not re.match(rb"/base(?:[/?]|$)", target)] == []


def test_nothing_is_left_of_it(server: Server, upstream: StrictUpstream) -> None:
    """No connection, no task, nothing reserved; and a good request is served as if nothing had been."""
    started = time.monotonic()
    while not is_idle(server):
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.01)
    rows = server.governor.ledger.reader.calls(CallFilter(), limit=500).items
    assert "reserved" not in {row.status for row in rows}
    assert "ok" in {row.status for row in rows}
    good = b"GET /up/last HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as one:
        one.sendall(good)
        assert one.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert upstream.targets[-1] == b"/base/last"
