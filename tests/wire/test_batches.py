from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import NO_USAGE, Usage
from switchgear.wire.anthropic import AnthropicDialect
from switchgear.wire.base import Observation, Reader
from switchgear.wire.openai import OpenAIDialect

JSON = [("content-type", "application/json")]
LINES = [("content-type", "application/x-jsonl")]


def _read(reader: Reader, body: bytes, size: int = 7) -> tuple[bytes, Observation]:
    passed = b"".join(reader.feed(body[at : at + size]) for at in range(0, len(body), size))
    reader.end()
    seen = reader.observe()
    return passed + reader.flush(), seen


def _line(tokens: int, model: str = "claude-haiku-4-5", kind: str = "succeeded") -> bytes:
    message = {"type": "message", "model": model, "usage": {"input_tokens": tokens, "output_tokens": 2}}
    result = {"type": kind, "message": message} if kind == "succeeded" else {"type": kind, "error": {}}
    return json.dumps({"custom_id": "é", "result": result}, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize(
    ("method", "path", "billable"),
    [
        ("POST", "/v1/batches", True),
        ("POST", "/v1/messages/batches", True),
        ("POST", "/v1/batches/b/cancel", False),
        ("GET", "/v1/batches/b", False),
        ("GET", "/v1/messages/batches/b/results", False),
    ],
)
def test_only_making_a_batch_is_a_call_that_costs(method: str, path: str, *, billable: bool) -> None:
    """What it will cost nobody knows: it has no model, hence no price, and is refused unless told otherwise."""
    dialect = AnthropicDialect() if "messages" in path else OpenAIDialect()
    facts = dialect.facts(method=method, path=path, content_type=None, body=b'{"model":"m"}')

    assert (facts.surface, facts.billable, facts.model) == ("batches", billable, None)


def test_a_batch_object_tells_its_usage_as_a_running_total() -> None:
    """With the model and the tier that price it."""
    body = {
        "id": "batch_1",
        "object": "batch",
        "model": "gpt-4o-2024-08-06",
        "status": "completed",
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 30},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 120,
        },
    }
    facts = OpenAIDialect().facts(method="GET", path="/v1/batches/batch_1", content_type=None, body=b"")
    raw = json.dumps(body).encode()
    passed, seen = _read(OpenAIDialect().reader(facts, status=200, headers=JSON), raw)

    assert passed == raw
    assert seen.usage == Usage(input_tokens=100, output_tokens=20, cache_read_tokens=30, reasoning_tokens=5)
    assert (seen.model, seen.tier, seen.running) == ("gpt-4o-2024-08-06", "batch", "batch batch_1")


@pytest.mark.parametrize("body", [{"object": "list", "data": []}, {"id": "b", "object": "batch"}, {"usage": {}}, []])
def test_a_batch_that_says_nothing_of_usage_used_nothing_yet(body: object) -> None:
    """Polling costs nothing."""
    facts = OpenAIDialect().facts(method="GET", path="/v1/batches/batch_1", content_type=None, body=b"")
    _, seen = _read(OpenAIDialect().reader(facts, status=200, headers=JSON), json.dumps(body).encode())

    assert (seen.usage, seen.running, seen.verdict) == (NO_USAGE, None, "success")


@given(size=st.integers(1, 400))
def test_results_are_added_up_line_by_line(size: int) -> None:
    """Whatever the chunks are; lines without a message count nothing."""
    body = _line(10) + _line(0, kind="errored") + b"\n" + b"no json\n" + _line(5)[:-1]
    facts = AnthropicDialect().facts(method="GET", path="/v1/messages/batches/b/results", content_type=None, body=b"")
    passed, seen = _read(AnthropicDialect().reader(facts, status=200, headers=LINES), body, size)

    assert passed == body
    assert seen.usage == Usage(input_tokens=15, output_tokens=4)
    assert (seen.model, seen.tier, seen.estimated) == ("claude-haiku-4-5", "batch", False)


def test_results_of_several_models_are_an_estimate() -> None:
    """A row has one model and one price."""
    facts = AnthropicDialect().facts(method="GET", path="/v1/messages/batches/b/results", content_type=None, body=b"")
    reader = AnthropicDialect().reader(facts, status=200, headers=LINES)
    _, seen = _read(reader, _line(10) + _line(5, model="claude-opus-4-5"))

    assert seen.estimated
