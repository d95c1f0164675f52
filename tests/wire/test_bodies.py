from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.wire.base import Observation, Reader
from switchgear.wire.encodings import MAX_READ
from switchgear.wire.openai import OpenAIDialect

BODY = b'{"model":"m-1","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'
DIALECT = OpenAIDialect()


def reader(
    *, status: int = 200, encoding: str | None = None, path: str = "/v1/chat/completions", kind: str | None = None
) -> Reader:
    """Return a reader for an answer that is no stream."""
    facts = DIALECT.facts(method="POST", path=path, content_type=None, body=b'{"model":"m"}')
    head = [("content-type", kind or "application/json"), ("content-encoding", encoding or "identity")]
    return DIALECT.reader(
        facts,
        status=status,
        headers=head,
    )


def pass_on(one: Reader, *chunks: bytes) -> tuple[bytes, Observation]:
    """Pass *chunks* through and return the bytes and what was seen before the last of them left."""
    passed = b"".join(one.feed(chunk) for chunk in chunks)
    one.end()
    seen = one.observe()
    return passed + one.flush(), seen


def deflate(data: bytes, window: int) -> bytes:
    """Return *data* compressed with or without a zlib header."""
    packer = zlib.compressobj(wbits=window)
    return packer.compress(data) + packer.flush()


@given(chunks=st.lists(st.binary(max_size=5), max_size=10))
def test_any_body_passes_byte_for_byte(chunks: list[bytes]) -> None:
    """What an answer holds is never our business in passing it on."""
    passed, _ = pass_on(reader(), *chunks)

    assert passed == b"".join(chunks)


def test_the_newest_chunk_is_held_until_the_call_is_settled() -> None:
    """A client can't have the whole answer before its row is written."""
    one = reader()

    assert one.feed(BODY[:10]) == b""
    assert one.feed(BODY[10:20]) == BODY[:10]
    assert one.feed(b"") == b""
    assert one.flush() == BODY[10:20]
    assert one.feed(b"more") == b"more"


@pytest.mark.parametrize(
    ("encoding", "wire"),
    [
        (None, BODY),
        ("identity", BODY),
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("deflate", deflate(BODY, zlib.MAX_WBITS)),
        ("deflate", deflate(BODY, -zlib.MAX_WBITS)),
    ],
    ids=["none", "identity", "gzip", "upper", "zlib", "raw"],
)
def test_usage_is_read_from_a_copy_and_the_wire_bytes_stay(encoding: str | None, wire: bytes) -> None:
    """Compressed answers are read too, byte by byte if they come so, and pass untouched."""
    passed, seen = pass_on(reader(encoding=encoding), *(wire[i : i + 1] for i in range(len(wire))))

    assert passed == wire
    assert seen == Observation(usage=Usage(input_tokens=3, output_tokens=4), model="m-1")


@pytest.mark.parametrize(
    ("encoding", "wire"),
    [("br", b"\x0b\x02"), ("zstd", b"("), ("gzip, br", gzip.compress(BODY)), ("gzip", b"no gzip at all")],
    ids=["br", "zstd", "twice", "broken"],
)
def test_what_cannot_be_decoded_is_unknown_and_never_zero(encoding: str, wire: bytes) -> None:
    """An answer that we can't read was still an answer: success, usage unknown."""
    passed, seen = pass_on(reader(encoding=encoding), wire)

    assert passed == wire
    assert seen == Observation(usage=None, estimated=True)


def test_a_bomb_is_read_up_to_the_bound_and_no_further() -> None:
    """A hundred megabytes of zeros in a hundred kilobytes cost us no memory."""
    wire = gzip.compress(bytes(10 * MAX_READ))
    passed, seen = pass_on(reader(encoding="gzip"), wire)

    assert passed == wire
    assert seen == Observation(usage=None, estimated=True)


def test_a_long_body_passes_and_its_usage_is_unknown() -> None:
    """Beyond the bound nothing is kept for reading."""
    chunk = bytes(MAX_READ // 4)
    passed, seen = pass_on(reader(), *[chunk] * 5)

    assert len(passed) == 5 * len(chunk)
    assert seen == Observation(usage=None, estimated=True)


@pytest.mark.parametrize(
    ("body", "error"), [(b"", "empty_body"), (b"<html>", "malformed_body"), (b"{", "malformed_body")]
)
def test_a_success_without_an_answer_is_a_failure(body: bytes, error: str) -> None:
    """Status 200 and nothing usable is what a broken service looks like."""
    _, seen = pass_on(reader(kind="text/html"), body)

    assert (seen.error, seen.verdict, seen.usage, seen.estimated) == (error, "failure", None, True)


def test_answers_of_other_endpoints_need_not_be_json() -> None:
    """Speech comes as audio; that is no failure, and what it used is unknown."""
    _, seen = pass_on(reader(path="/v1/audio/speech", kind="audio/mpeg"), b"ID3")

    assert seen == Observation(usage=None, estimated=True)


@pytest.mark.parametrize(
    ("status", "verdict", "estimated"), [(400, "neutral", False), (429, "failure", False), (502, "failure", True)]
)
def test_an_error_costs_nothing_and_is_named_without_its_message(
    status: int,
    verdict: str,
    estimated: bool,  # noqa: FBT001
) -> None:
    """The label is type and code; the message may hold secrets."""
    body = b'{"error":{"message":"bad key sk-123","type":"invalid_request_error","code":"invalid_api_key"}}'
    _, seen = pass_on(reader(status=status), body)

    assert seen.error == "invalid_request_error/invalid_api_key"
    assert (seen.verdict, seen.estimated) == (verdict, estimated)
    assert seen.usage == Usage(units=(("request", 0),))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/files"])
def test_a_redirect_is_no_answer_and_no_failure(path: str) -> None:
    """Who follows it makes another call."""
    _, seen = pass_on(reader(status=307, path=path), b"")

    assert seen == Observation(usage=Usage(units=(("request", 0),)))


def test_an_error_page_is_named_by_its_status() -> None:
    """A proxy's HTML says nothing that we could use."""
    _, seen = pass_on(reader(status=503, kind="text/html"), b"<html>busy</html>")

    assert (seen.error, seen.verdict) == ("http_503", "failure")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(b'{"type":"server_error"}', "failure"), (b'{"code":"invalid_prompt"}', "neutral"), (b'"overloaded"', "failure")],
)
def test_an_error_in_a_success_is_an_error(error: bytes, verdict: str) -> None:
    """Some services answer 200 and put the error inside."""
    _, seen = pass_on(reader(), b'{"error":' + error + b"}")

    assert seen.error is not None
    assert seen.verdict == verdict
