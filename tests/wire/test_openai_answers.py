from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.wire.openai import OpenAIDialect

if TYPE_CHECKING:
    from switchgear.wire.base import Observation, Reader, RequestFacts

DIALECT = OpenAIDialect()
CHAT = "/v1/chat/completions"
USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 10, "audio_tokens": 2},
}
OURS = Usage(
    input_tokens=120,
    output_tokens=30,
    cache_read_tokens=100,
    reasoning_tokens=10,
    units=(("input_audio_tokens", 5), ("output_audio_tokens", 2)),
)


def facts(path: str = CHAT, **request: object) -> RequestFacts:
    """Return the facts of a streamed request."""
    body = json.dumps({"model": "gpt-4o", "stream": True, **request}).encode()
    return DIALECT.facts(method="POST", path=path, content_type=None, body=body)


def reader(of: RequestFacts, kind: str = "text/event-stream", encoding: str | None = None) -> Reader:
    """Return a reader for a successful answer."""
    return DIALECT.reader(
        of, status=200, headers=[("content-type", kind), ("content-encoding", encoding or "identity")]
    )


def event(data: object, end: str = "\n") -> bytes:
    """Return one server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"data: {text}{end}{end}".encode()


def chunk(text: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """Return one chunk of a chat stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "model": "gpt-4o-2024-08-06", "service_tier": "default", "choices": [choice], **more}


def usage_chunk() -> dict[str, object]:
    """Return the chunk that holds the usage."""
    return {"id": "c", "model": "gpt-4o-2024-08-06", "choices": [], "usage": USAGE}


CONTENT = [event(chunk("Hel")), b": keep-alive\n\n", event(chunk("lo")), event(chunk(finish="stop"))]
DONE = event("[DONE]")
FULL = b"".join([*CONTENT, event(usage_chunk()), DONE])


def pass_on(one: Reader, stream: bytes, size: int) -> tuple[bytes, bytes, Observation]:
    """Pass *stream* in pieces of *size*; return what came before the settlement, after it, and what was seen."""
    before = b""
    rest = b""
    for start in range(0, len(stream), size):
        before += one.feed(stream[start : start + size])
        if one.complete:
            rest = stream[start + size :]
            break
    else:
        one.end()
    seen = one.observe()
    return before, one.flush() + one.feed(rest), seen


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_the_chunk_that_we_asked_for_is_taken_out_and_nothing_else(size: int, newline: bytes) -> None:
    """A client that did not ask for usage gets the bytes that it would have got."""
    stream = FULL.replace(b"\n", newline)
    wanted = b"".join([*CONTENT, DONE]).replace(b"\n", newline)
    before, after, seen = pass_on(reader(facts()), stream, size)

    assert before + after == wanted
    assert b"[DONE]" not in before
    assert (seen.usage, seen.estimated, seen.verdict, seen.complete) == (OURS, False, "success", True)
    assert (seen.model, seen.tier) == ("gpt-4o-2024-08-06", "default")


@given(size=st.integers(1, 50), tail=st.sampled_from([b"", b"\n", b": bye\n\n", b"data: more\n\n"]))
def test_a_client_that_asked_for_usage_gets_every_byte(size: int, tail: bytes) -> None:
    """What the client asked for itself is never taken out, and what follows the end still passes."""
    of = facts(stream_options={"include_usage": True})
    before, after, seen = pass_on(reader(of), FULL + tail, size)

    assert before + after == FULL + tail
    assert seen.usage == OURS


def test_an_event_passes_as_soon_as_it_is_whole() -> None:
    """Streaming stays streaming: nothing but the end waits."""
    one = reader(facts())

    assert one.feed(CONTENT[0]) == CONTENT[0]
    assert one.started
    assert one.feed(b"data: ") == b""
    assert one.feed(CONTENT[2][6:]) == CONTENT[2]


def test_the_first_content_is_told_from_the_preamble() -> None:
    """The time to the first token is not the time to the first byte."""
    one = reader(facts())
    one.feed(event({"choices": [], "prompt_filter_results": []}) + event(chunk("")))

    assert not one.started
    one.feed(event(chunk("x")))
    assert one.started


def test_the_end_is_held_until_the_call_is_settled() -> None:
    """A client that has seen the end of its answer has its row in the ledger."""
    one = reader(facts())
    passed = one.feed(FULL)

    assert one.complete
    assert passed == b"".join(CONTENT)
    assert one.feed(b"late") == b""
    assert one.flush() == DONE + b"late"
    assert one.feed(b"later") == b"later"


def test_chunks_with_content_keep_their_usage() -> None:
    """Some providers report usage along the way: those chunks are the client's."""
    stream = event(chunk("a", usage=USAGE)) + event(chunk(finish="stop", usage=USAGE)) + DONE
    before, after, seen = pass_on(reader(facts()), stream, 11)

    assert before + after == stream
    assert (seen.usage, seen.estimated) == (OURS, False)


@pytest.mark.parametrize("size", [3, 1_000])
def test_a_stream_that_is_cut_is_a_failure_with_an_estimate(size: int) -> None:
    """Budget 11: what came is counted, a token for each four bytes, and marked as an estimate."""
    text = "ü" * 40
    stream = event(chunk(text)) + event(chunk("b"))[:-10]
    of = facts()
    before, after, seen = pass_on(reader(of), stream, size)

    assert before + after == stream
    assert (seen.verdict, seen.error, seen.estimated, seen.complete) == ("failure", "stream_cut", True, False)
    assert seen.usage == Usage(input_tokens=of.bound.input_tokens, output_tokens=21)


def test_an_estimate_counts_at_least_a_token_for_each_event() -> None:
    """Short pieces are whole tokens."""
    _, _, seen = pass_on(reader(facts()), b"".join(event(chunk("a")) for _ in range(9)), 1_000)

    assert seen.usage is not None
    assert seen.usage.output_tokens == 9


def test_tool_calls_reasoning_and_refusals_are_content() -> None:
    """All that the model writes is billed, so all of it is counted."""
    deltas: list[dict[str, object]] = [
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "x" * 40}}, {"index": 1}]},
        {"reasoning_content": "x" * 40, "reasoning": "x" * 40},
        {"refusal": "x" * 40},
        {"content": [{"type": "thinking", "thinking": "x" * 40}]},
    ]
    stream = b"".join(event({"choices": [{"delta": delta}]}) for delta in deltas)
    _, _, seen = pass_on(reader(facts()), stream, 1_000)

    assert seen.usage is not None
    assert 40 <= seen.usage.output_tokens <= 60


@pytest.mark.parametrize("stream", [b"", b": ping\n\n", b"\n\n"], ids=["nothing", "comment", "blank"])
def test_a_stream_without_events_is_a_failure(stream: bytes) -> None:
    """Status 200 and no answer is what a dead service looks like."""
    before, after, seen = pass_on(reader(facts()), stream, 1)

    assert before + after == stream
    assert (seen.verdict, seen.error, seen.estimated) == ("failure", "stream_empty", True)


def test_a_whole_answer_without_the_terminal_event_is_no_failure() -> None:
    """Some providers never send [DONE]: an answer with its finish reason is whole."""
    _, _, seen = pass_on(reader(facts()), b"".join(CONTENT), 5)

    assert (seen.verdict, seen.estimated) == ("success", True)


def test_an_end_without_its_blank_line_is_still_the_end() -> None:
    """The last event of a sloppy provider is read when the bytes are over, and held like any other."""
    stream = b"".join([*CONTENT, event(usage_chunk()), b"data: [DONE]\n"])
    before, after, seen = pass_on(reader(facts()), stream, 1_000)

    assert (before, after) == (b"".join(CONTENT), b"data: [DONE]\n")
    assert (seen.usage, seen.complete) == (OURS, True)


@pytest.mark.parametrize(
    ("error", "verdict", "label"),
    [
        ({"message": "boom", "type": "server_error", "code": None}, "failure", "server_error"),
        ({"message": "boom", "code": 502}, "failure", "502"),
        ({"message": "bad", "type": "invalid_request_error"}, "neutral", "invalid_request_error"),
        ("overloaded", "failure", "overloaded"),
        ({"message": "sk-123 is wrong"}, "failure", "error"),
    ],
)
def test_an_error_inside_a_stream_is_an_error(error: object, verdict: str, label: str) -> None:
    """A 200 that turns into an error counts as one, is held like an end, and its text stays out of the ledger."""
    stream = event(chunk("abcd")) + event({"error": error})
    before, after, seen = pass_on(reader(facts()), stream, 9)

    assert before + after == stream
    assert before == event(chunk("abcd"))
    assert (seen.verdict, seen.error, seen.estimated) == (verdict, label, True)


def test_events_that_are_no_json_pass() -> None:
    """What can't be read is the client's, and counts as content."""
    stream = event("{not json") + DONE
    before, after, seen = pass_on(reader(facts()), stream, 4)

    assert before + after == stream
    assert seen.usage is not None
    assert seen.usage.output_tokens > 0


def test_an_event_too_long_to_read_leaves_usage_unknown() -> None:
    """What was not read is unknown, never an estimate and never a failure."""
    stream = event(chunk("x" * (2 << 20))) + event(chunk("y"))
    before, after, seen = pass_on(reader(facts()), stream, 1 << 16)

    assert before + after == stream
    assert (seen.usage, seen.estimated, seen.verdict) == (None, True, "success")


def test_a_compressed_stream_passes_untouched_and_is_read() -> None:
    """Nothing can be taken out of compressed bytes; usage and end are still seen, and the end is held."""
    wire = gzip.compress(FULL)
    before, after, seen = pass_on(reader(facts(), encoding="gzip"), wire, 10)

    assert before + after == wire
    assert after
    assert (seen.usage, seen.estimated, seen.complete) == (OURS, False, True)


def test_a_compressed_end_that_was_seen_stays_held_when_the_bytes_are_over() -> None:
    """Being told of the end twice loses nothing."""
    one = reader(facts(), encoding="gzip")
    wire = gzip.compress(FULL)
    before = one.feed(wire)
    one.end()

    assert before + one.flush() == wire


def test_a_compressed_end_without_its_blank_line_is_read_when_the_bytes_are_over() -> None:
    """Its bytes have passed already; what they said still counts."""
    wire = gzip.compress(FULL[:-1])
    before, after, seen = pass_on(reader(facts(), encoding="gzip"), wire, 10_000)

    assert (before, after) == (wire, b"")
    assert (seen.usage, seen.complete) == (OURS, True)


def test_a_stream_in_an_unknown_encoding_passes_with_usage_unknown() -> None:
    """We do not guess at what we can't decode."""
    before, after, seen = pass_on(reader(facts(), encoding="br"), b"abcdef", 2)

    assert before + after == b"abcdef"
    assert (seen.usage, seen.estimated, seen.verdict) == (None, True, "success")


def test_a_stream_of_an_endpoint_without_a_known_format_passes() -> None:
    """Speech can be streamed too: as it comes, usage unknown."""
    before, _, seen = pass_on(reader(facts("/v1/audio/speech")), b"data: 1\n\n", 3)

    assert before == b"data: 1\n\n"
    assert (seen.usage, seen.estimated) == (None, True)


@pytest.mark.parametrize("kind", ["application/json", ""])
def test_a_stream_that_is_answered_with_a_body_is_read_as_one(kind: str) -> None:
    """Errors and stubborn providers answer a stream request with JSON."""
    body = json.dumps({"model": "m", "usage": USAGE}).encode()
    of = facts() if kind else facts(stream=False)
    one = DIALECT.reader(of, status=200, headers=[("Content-Type", kind)] if kind else [])
    before, after, seen = pass_on(one, body, 10)

    assert before + after == body
    assert seen.usage == OURS


RESPONSE_USAGE = {
    "input_tokens": 80,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 100,
}
RESPONSE_OURS = Usage(input_tokens=80, output_tokens=20, cache_read_tokens=64, reasoning_tokens=8)


def typed(kind: str, **data: object) -> bytes:
    """Return one event of a responses stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def response(**more: object) -> dict[str, object]:
    """Return a response object."""
    return {"id": "r", "model": "gpt-5-2025-08-07", "service_tier": "flex", "usage": None, "error": None, **more}


@pytest.mark.parametrize("last", ["response.completed", "response.incomplete"])
@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_a_responses_stream_is_settled_by_its_last_event(last: str, size: int) -> None:
    """The response in the last event has the usage; that event is held."""
    start = typed("response.created", response=response()) + typed("response.output_text.delta", delta="Hi")
    end = typed(last, response=response(usage=RESPONSE_USAGE))
    before, after, seen = pass_on(reader(facts("/v1/responses")), start + end, size)

    assert (before, after) == (start, end)
    assert (seen.usage, seen.estimated, seen.verdict) == (RESPONSE_OURS, False, "success")
    assert (seen.model, seen.tier) == ("gpt-5-2025-08-07", "flex")


@pytest.mark.parametrize(
    ("end", "verdict", "label"),
    [
        (typed("response.failed", response=response(error={"code": "server_error"})), "failure", "server_error"),
        (typed("response.failed", response=response(error={"code": "invalid_prompt"})), "neutral", "invalid_prompt"),
        (typed("error", code="ERR_SOMETHING", message="no"), "failure", "ERR_SOMETHING"),
        (typed("error", error={"type": "invalid_request_error"}), "neutral", "invalid_request_error"),
    ],
)
def test_a_failed_response_is_a_failure_unless_the_caller_caused_it(end: bytes, verdict: str, label: str) -> None:
    """Both ways of failing in a responses stream are seen."""
    start = typed("response.output_text.delta", delta="Hi there")
    before, after, seen = pass_on(reader(facts("/v1/responses")), start + end, 9)

    assert before + after == start + end
    assert (seen.verdict, seen.error, seen.estimated) == (verdict, label, True)
    assert seen.usage is not None
    assert seen.usage.output_tokens == 2


def test_responses_events_that_are_no_json_pass() -> None:
    """What can't be read is the client's, and counts as one piece."""
    stream = event("{not json") + typed("response.completed", response=response())
    before, after, seen = pass_on(reader(facts("/v1/responses")), stream, 4)

    assert before + after == stream
    assert seen.usage is not None
    assert (seen.usage.output_tokens, seen.estimated) == (1, True)


def test_a_responses_stream_that_is_cut_is_a_failure() -> None:
    """Without its last event the answer is not whole."""
    _, _, seen = pass_on(reader(facts("/v1/responses")), typed("response.output_text.delta", delta="Hi"), 9)

    assert (seen.verdict, seen.error) == ("failure", "stream_cut")


def body_usage(usage: object, path: str = CHAT) -> Usage | None:
    """Return the usage that is read from a body."""
    one = reader(facts(path), kind="application/json")
    one.feed(json.dumps({"model": "m", "usage": usage}).encode())
    one.end()
    return one.observe().usage


@pytest.mark.parametrize(
    ("flavor", "usage"),
    [("chat", USAGE), ("responses", RESPONSE_USAGE), ("embeddings", {"prompt_tokens": 9, "total_tokens": 9})],
)
def test_usage_is_what_genai_prices_extracts(flavor: str, usage: dict[str, Any]) -> None:
    """Two independent readings of the same answer agree."""
    provider = next(one for one in get_snapshot().providers if one.id == "openai")
    _, extracted = provider.extract_usage({"model": "m", "usage": usage}, api_flavor=flavor)
    ours = body_usage(usage)

    assert ours is not None
    assert (
        genai_prices.Usage(
            input_tokens=ours.input_tokens,
            output_tokens=ours.output_tokens or None,
            cache_read_tokens=ours.cache_read_tokens or None,
            output_reasoning_tokens=ours.reasoning_tokens or None,
            **dict(ours.units),
        )
        == extracted
    )


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": "many"}, None),
        ({"prompt_tokens": -5, "completion_tokens": 2.0}, Usage(output_tokens=2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40},
            Usage(input_tokens=10, output_tokens=30),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
            Usage(input_tokens=10, output_tokens=5, cache_read_tokens=4),
        ),
        ({"type": "duration", "seconds": 7.2}, Usage(units=(("audio_seconds", 8),))),
        (
            {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"text_tokens": 2, "image_tokens": 7}},
            Usage(input_tokens=9, output_tokens=3, units=(("input_image_tokens", 7),)),
        ),
    ],
    ids=["null", "empty", "words", "odd", "zero", "hidden-reasoning", "deepseek", "seconds", "images"],
)
def test_odd_usage_objects_are_read_or_unknown(usage: object, expected: Usage | None) -> None:
    """What can't be understood is unknown; reasoning that only the total shows is still output."""
    assert body_usage(usage) == expected


def test_an_answer_to_what_is_not_billed_uses_nothing() -> None:
    """Listing models is free whatever the answer says."""
    of = DIALECT.facts(method="GET", path="/v1/models", content_type=None, body=b"")
    one = reader(of, kind="application/json")
    one.feed(b'{"data":[]}')

    assert one.observe().usage == Usage()
