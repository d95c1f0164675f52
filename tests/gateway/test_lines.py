"""Plain heads of answers are read as the parser reads them, or not at all."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.gateway.lines import plain_head

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\n{}"


class Parsed:
    """What httptools makes of an answer."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.complete = self.keeps = False
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.keeps = self.parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True


def test_a_plain_head_is_read() -> None:
    """Names and values as they came, the length, and where the body begins."""
    head = plain_head(PLAIN)
    assert head is not None
    assert (head.status, head.length, PLAIN[head.end :]) == (200, 2, b"{}")
    assert head.headers == [("Content-Type", "a/b"), ("Content-Length", "2")]


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:30],
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"200 OK", b"204 No Content"),
        PLAIN.replace(b"200 OK", b"304 Not Modified"),
        PLAIN.replace(b"200 OK", b"100 Continue"),
        PLAIN.replace(b"200 OK", b"2000 OK"),
        PLAIN.replace(b"Content-Length: 2\r\n", b""),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: -2"),
        PLAIN.replace(b"Content-Length: 2", b"Content-Length: 2, 2"),
        PLAIN.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked\r\nContent-Length: 2"),
        PLAIN.replace(b"a/b", b"a/b\r\nConnection: close"),
        PLAIN.replace(b"a/b", b"a/b\r\nUpgrade: h2c"),
        PLAIN.replace(b"a/b", b"a/b\r\n folded"),
        PLAIN.replace(b"a/b", b" a/b"),
        PLAIN.replace(b"a/b", b"a/b "),
        PLAIN.replace(b"a/b", b"a\rb"),
        PLAIN.replace(b"a/b", b"a\0b"),
        PLAIN.replace(b"Type:", b"Type :"),
        PLAIN.replace(b"Type: ", b"Type:"),
        PLAIN.replace(b": a/b", b""),
        PLAIN.replace(b"\r\n", b"\n"),
    ],
)
def test_what_is_not_plain_is_the_parsers(data: bytes) -> None:
    """Anything that parsers may disagree about, and every other way to end a body, is not read here."""
    assert plain_head(data) is None


TOKEN = st.text("abcXYZ-019_!", min_size=1, max_size=12)
VALUE = st.binary(max_size=20)


@given(status=st.integers(100, 599), headers=st.lists(st.tuples(TOKEN, VALUE), max_size=5), body=st.binary(max_size=20))
def test_it_is_read_as_the_parser_reads_it(status: int, headers: list[tuple[str, bytes]], body: bytes) -> None:
    """Where both read a head, they agree on every header and on the body; what the parser refuses is refused."""
    lines = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in headers)
    data = b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (status, lines, len(body), body)
    head = plain_head(data)
    if head is None:
        return
    parsed = Parsed(data)
    assert parsed.complete
    assert parsed.parser.get_status_code() == head.status
    assert (parsed.headers, parsed.body) == (head.headers, data[head.end :])
    assert parsed.keeps
