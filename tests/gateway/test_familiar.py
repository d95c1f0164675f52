"""Heads that come again are read as the parser has read them, and nothing else is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.config.model import ServerConfig
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.familiar import Familiar
from switchgear.gateway.hosts import Hosts
from switchgear.gateway.inbound import Inbound
from switchgear.gateway.serving import Counter

CONFIG = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
[server]
max_body_bytes = 1000
"""
HEAD = b"POST /llm/v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nContent-Length: %d\r\nx-a: b\r\n\r\n"


def request_of(body: bytes, *, keep: bool = True, extra: tuple[tuple[str, str], ...] = ()) -> Inbound:
    """Return what the parser makes of *HEAD* and *body*."""
    request = Inbound()
    request.method, request.target = "POST", b"/llm/v1/chat/completions"
    request.service, request.rest = "llm", "/v1/chat/completions"
    request.headers = [("host", "localhost"), ("Content-Length", str(len(body))), ("x-a", "b"), *extra]
    request.body, request.keep, request.ready, request.complete = body, keep, True, True
    return request


@pytest.fixture
async def counter(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """Where requests are served."""
    folder = tmp_path_factory.mktemp("ledger")
    governor = Governor(load_text(f'[ledger]\nurl = "sqlite:///{folder}/l.db"\n{CONFIG}', environ={}))
    return Counter(governor, hosts=Hosts())


def familiar(body: bytes = b"{}") -> Familiar:
    """Return the head of a request with *body*, remembered."""
    found = Familiar.of(request_of(body), HEAD % len(body) + body)
    assert found is not None
    return found


async def test_a_head_that_comes_again_brings_its_own_body(counter: Counter) -> None:
    """All but the length and the body is as before; the next caller's problem is not the last one's."""
    again = familiar().again(HEAD % 12 + b"x" * 12, counter)
    assert again is not None
    assert (again.method, again.service, again.rest, again.body) == ("POST", "llm", "/v1/chat/completions", b"x" * 12)
    assert (again.ready, again.complete, again.keep, again.problem) == (True, True, True, None)
    assert again.recall is not None


@pytest.mark.parametrize(
    "data",
    [
        HEAD % 12 + b"x" * 11,
        HEAD % 12 + b"x" * 13,
        HEAD % 12,
        (HEAD % 12)[:-1],
        (HEAD % 12)[:40],
        HEAD.replace(b"%d", b"") + b"",
        HEAD.replace(b"%d", b"+2") + b"{}",
        HEAD.replace(b"%d", b"2 ") + b"{}",
        HEAD.replace(b"%d", b"0x2") + b"{}",
        HEAD.replace(b"%d", b"\xb2") + b"{}",
        HEAD.replace(b"%d", b"00000000002") + b"{}",
        HEAD.replace(b"x-a: b", b"x-a: c") % 2 + b"{}",
        HEAD.replace(b"\r\n\r\n", b"\r\nx-b: c\r\n\r\n") % 2 + b"{}",
        HEAD % 1001 + b"x" * 1001,
        b"",
    ],
)
async def test_whatever_differs_is_the_parsers(data: bytes, counter: Counter) -> None:
    """A body that is cut or too long, a strange length, another header: none of it is taken for the head before."""
    assert familiar().again(data, counter) is None


async def test_a_service_that_is_gone_is_nobody_familiar(counter: Counter) -> None:
    """After a reload the routes decide, not the memory."""
    counter.routes = {}
    assert familiar().again(HEAD % 2 + b"{}", counter) is None


@pytest.mark.parametrize(
    ("request_", "data"),
    [
        (request_of(b"{}", keep=False), HEAD % 2 + b"{}"),
        (request_of(b"{}", extra=(("Expect", "100-continue"),)), HEAD % 2 + b"{}"),
        (request_of(b"{}"), HEAD % 2 + b"{}GET"),
        (request_of(b"{}"), (HEAD % 2)[:30]),
        (
            request_of(b"{}"),
            HEAD.replace(b"Content-Length: %d", b"transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",
        ),
    ],
)
def test_what_is_not_remembered(request_: Inbound, data: bytes) -> None:
    """The last of a connection, one that expects, a pipeline, a part, chunks: each goes its usual way the next time."""
    assert Familiar.of(request_, data) is None


class Parsed:
    """What httptools makes of a request."""

    def __init__(self, data: bytes) -> None:
        self.target = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, piece: bytes) -> None:
        self.target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete += 1


@given(
    digits=st.one_of(st.integers(0, 40).map(str), st.text("0123456789 +-.xe\r\n", max_size=6)),
    body=st.binary(max_size=30),
)
async def test_what_is_taken_is_what_the_parser_reads(digits: str, body: bytes) -> None:
    """Whatever stands for the length: a request that is taken without the parser is what the parser makes of it."""
    data = HEAD.replace(b"%d", digits.encode()) + body
    stub = cast(
        "Counter", SimpleNamespace(routes={"llm": None}, bounds=bounds_of(ServerConfig()), check=lambda _: None)
    )
    again = familiar().again(data, stub)
    if again is None:
        return
    parsed = Parsed(data)
    assert (parsed.complete, parsed.target, parsed.body) == (1, again.target, again.body)
    assert [name for name, _ in parsed.headers] == [b"host", b"Content-Length", b"x-a"]
