from __future__ import annotations

import json

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.wire.anthropic import IMAGE_TOKENS, AnthropicDialect
from switchgear.wire.base import Observation, Reader, RequestFacts
from switchgear.wire.bounds import TOOL_TOKENS

DIALECT = AnthropicDialect()
USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 3_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 50, "ephemeral_1h_input_tokens": 150},
    "output_tokens": 40,
    "output_tokens_details": {"thinking_tokens": 15},
    "server_tool_use": {"web_search_requests": 2},
    "service_tier": "standard",
}
OURS = Usage(
    input_tokens=3_210,
    output_tokens=40,
    cache_read_tokens=3_000,
    cache_write_tokens=200,
    reasoning_tokens=15,
    units=(("cache_write_1h_tokens", 150), ("web_searches", 2)),
)


def facts(path: str = "/v1/messages", method: str = "POST", **request: object) -> RequestFacts:
    """Return what is read from *request*."""
    body = json.dumps(request).encode()
    return DIALECT.facts(method=method, path=path, content_type="application/json", body=body)


def reader(kind: str = "text/event-stream", status: int = 200) -> Reader:
    """Return a reader for the answer to a streamed request."""
    of = facts(model="claude", max_tokens=100, stream=True)
    return DIALECT.reader(of, status=status, headers=[("content-type", kind)])


def event(kind: str, **data: object) -> bytes:
    """Return one event of a messages stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def delta(**content: str) -> bytes:
    """Return one piece of content."""
    return event("content_block_delta", index=0, delta={"type": "x_delta", **content})


START = event("message_start", message={"model": "claude-sonnet-4-5-20250929", "usage": {**USAGE, "output_tokens": 1}})
TEXT = [delta(text="Hel"), event("ping"), delta(text="lo")]
TOTAL = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 40})
STOP = event("message_stop")


def pass_on(one: Reader, stream: bytes, size: int) -> tuple[bytes, bytes, Observation]:
    """Pass *stream* in pieces of *size*; return what came before the settlement, after it, and what was seen."""
    before = b"".join(one.feed(stream[start : start + size]) for start in range(0, len(stream), size))
    one.end()
    seen = one.observe()
    return before, one.flush(), seen


def test_a_request_says_model_stream_and_bounds() -> None:
    """The gate knows what to reserve before anything is sent."""
    body = b'{"model":"claude-x","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Who are you?"}]}'

    assert DIALECT.facts(method="POST", path="/v1/messages?beta=true", content_type=None, body=body) == RequestFacts(
        endpoint="/v1/messages",
        surface="messages",
        model="claude-x",
        streamed=True,
        bound=Usage(input_tokens=len(body), output_tokens=50),
        max_output_given=True,
        is_json=True,
    )


@pytest.mark.parametrize(
    ("method", "path", "billable"),
    [
        ("POST", "/v1/messages", True),
        ("POST", "/v1/messages/count_tokens", False),
        ("GET", "/v1/models", False),
    ],
)
def test_counting_tokens_is_free(method: str, path: str, billable: bool) -> None:  # noqa: FBT001
    """What Anthropic does not bill needs no budget."""
    found = facts(path, method, model="claude", messages=[])

    assert found.billable is billable
    assert found.model == "claude"


def test_an_hour_in_the_cache_is_reserved_at_its_own_rate() -> None:
    """Writing to the cache for an hour costs twice the input."""
    block = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = json.dumps({"max_tokens": 1, "system": [block]}, separators=(",", ":")).encode()
    found = DIALECT.facts(method="POST", path="/v1/messages", content_type=None, body=body)

    assert found.bound.units == (("cache_write_1h_tokens", len(body)),)


def test_unseen_input_may_be_cached_for_an_hour_too() -> None:
    """With input that only the window bounds, every token of it may be written at the dearest rate."""
    found = facts(max_tokens=5, container="c", system=[{"type": "text", "cache_control": {"ttl": "1h"}}])
    bound = found.bound_within(max_output=None, window=200_000)

    assert bound == Usage(input_tokens=200_000, output_tokens=5, units=(("cache_write_1h_tokens", 200_000),))


@pytest.mark.parametrize(
    "extra",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": [{"type": "url"}]},
        {"container": "container_1"},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}]},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_input_that_the_body_does_not_show_is_bounded_by_the_window(extra: dict[str, object]) -> None:
    """A search, a server or a file may bring any amount of input."""
    body = json.dumps({"max_tokens": 5, **extra}).encode()

    assert not DIALECT.facts(method="POST", path="/v1/messages", content_type=None, body=body).input_bounded


def test_tools_images_and_tiers_are_read() -> None:
    """Client tools add Anthropic's instructions, images a stated bound, and fast mode is a tier."""
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}
    found = facts(
        max_tokens=5,
        tools=[{"name": "f", "input_schema": {}}],
        messages=[{"role": "user", "content": [image]}],
        speed="fast",
    )

    assert IMAGE_TOKENS + TOOL_TOKENS < found.bound.input_tokens < IMAGE_TOKENS + TOOL_TOKENS + 500
    assert found.input_bounded
    assert found.tier == "fast"


@given(body=st.binary(max_size=100))
def test_any_bytes_are_read_without_raising(body: bytes) -> None:
    """What is no JSON goes through untouched."""
    found = DIALECT.facts(method="POST", path="/v1/messages", content_type=None, body=body)

    assert DIALECT.outgoing(found, body) == body


@pytest.mark.parametrize("size", [1, 2, 17, 10_000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_a_stream_passes_untouched_and_its_end_is_held(size: int, newline: bytes) -> None:
    """Start and delta make up the usage; the last event waits for the settlement."""
    stream = b"".join([START, *TEXT, TOTAL, STOP]).replace(b"\n", newline)
    before, after, seen = pass_on(reader(), stream, size)

    assert before + after == stream
    assert after == STOP.replace(b"\n", newline)
    assert seen == Observation(usage=OURS, model="claude-sonnet-4-5-20250929", tier="standard")


def test_totals_of_the_delta_replace_those_of_the_start() -> None:
    """Server tools add input on the way: the last report counts, each number for itself."""
    total = event("message_delta", delta={}, usage={"input_tokens": 500, "output_tokens": 41, "service_tier": None})
    _, _, seen = pass_on(reader(), b"".join([START, total, STOP]), 100)

    assert seen.usage is not None
    assert (seen.usage.input_tokens, seen.usage.output_tokens, seen.tier) == (3_700, 41, "standard")


def test_a_stream_that_is_cut_is_a_failure_with_an_estimate() -> None:
    """Budget 11: the input is Anthropic's word, the output is counted from what came, and marked."""
    _, _, seen = pass_on(reader(), START + delta(text="x" * 400) + delta(thinking="é" * 20), 50)

    assert (seen.verdict, seen.error, seen.estimated, seen.complete) == ("failure", "stream_cut", True, False)
    assert seen.usage is not None
    assert (seen.usage.input_tokens, seen.usage.output_tokens) == (3_210, 110)


def test_a_stream_of_nothing_is_a_failure() -> None:
    """A 200 that never starts is no answer."""
    _, _, seen = pass_on(reader(), event("ping"), 5)

    assert (seen.verdict, seen.error) == ("failure", "stream_empty")


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("overloaded_error", "failure"), ("api_error", "failure"), ("invalid_request_error", "neutral")],
)
def test_an_error_event_ends_the_stream_and_is_held(kind: str, verdict: str) -> None:
    """An error inside a 200 is an error; its message stays out of the ledger."""
    error = event("error", error={"type": kind, "message": "secret"})
    before, after, seen = pass_on(reader(), START + TEXT[0] + error, 31)

    assert (before, after) == (START + TEXT[0], error)
    assert (seen.verdict, seen.error, seen.estimated) == (verdict, kind, True)


def test_the_first_content_is_text_not_the_preamble() -> None:
    """Time to the first token counts to content of any kind."""
    one = reader()
    one.feed(START + event("content_block_start", index=0, content_block={"type": "text", "text": ""}))

    assert not one.started
    one.feed(delta(partial_json="{"))
    assert one.started


def test_events_that_are_no_json_pass() -> None:
    """What can't be read is the client's."""
    stream = START + b"event: odd\ndata: {\n\n" + STOP
    before, after, _ = pass_on(reader(), stream, 10)

    assert before + after == stream


def test_a_body_says_the_same_as_genai_prices() -> None:
    """Two independent readings of the same answer agree: our input counts the cache in."""
    answer = {"type": "message", "model": "claude-sonnet-4-5", "usage": USAGE}
    provider = next(one for one in get_snapshot().providers if one.id == "anthropic")
    _, extracted = provider.extract_usage(answer)
    _, _, seen = pass_on(reader(kind="application/json"), json.dumps(answer).encode(), 10)
    ours = seen.usage

    assert ours == OURS
    assert ours is not None
    assert (
        TheirUsage(
            input_tokens=ours.input_tokens,
            output_tokens=ours.output_tokens,
            cache_read_tokens=ours.cache_read_tokens,
            cache_write_tokens=ours.cache_write_tokens,
            cache_write_5m_tokens=50,
            output_reasoning_tokens=ours.reasoning_tokens,
            **dict(ours.units),
        )
        == extracted
    )


@pytest.mark.parametrize(("status", "verdict"), [(529, "failure"), (400, "neutral")])
def test_an_error_body_is_named_by_its_type(status: int, verdict: str) -> None:
    """Overloaded is the service's, a bad request the caller's."""
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}'
    _, _, seen = pass_on(reader(kind="application/json", status=status), body, 100)

    assert (seen.error, seen.verdict) == ("overloaded_error", verdict)


def test_a_body_that_is_no_json_is_a_failure() -> None:
    """A proxy's page instead of a message is no answer."""
    _, _, seen = pass_on(reader(kind="text/html"), b"<html>", 100)

    assert (seen.error, seen.verdict) == ("malformed_body", "failure")


def test_a_body_without_usage_leaves_it_unknown() -> None:
    """Unknown is not zero."""
    _, _, seen = pass_on(reader(kind="application/json"), b'{"type":"message","model":"m"}', 100)

    assert (seen.usage, seen.estimated, seen.verdict) == (None, True, "success")
