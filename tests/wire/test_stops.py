from __future__ import annotations

import json

import pytest

from switchgear.calls import Refusal
from switchgear.wire.base import RequestFacts, Surface
from switchgear.wire.dialects import dialect_for
from switchgear.wire.sse import parse

REFUSAL = Refusal(
    reason="budget", rule="b", service="s", message="budget b has no room", unit="usd", limit=1_500_000_000, used=1
)


@pytest.mark.parametrize(
    ("kind", "path", "surface", "name"),
    [
        ("openai", "/v1/chat/completions", "chat", b""),
        ("openai", "/v1/responses", "responses", b"error"),
        ("anthropic", "/v1/messages", "messages", b"error"),
    ],
)
def test_budget_12_a_stream_is_stopped_by_an_error_in_the_providers_shape(
    kind: str, path: str, surface: Surface, name: bytes
) -> None:
    """One whole event, with the error where the provider's clients look for it, and our facts beside it."""
    raw = dialect_for(kind, path).stop(RequestFacts(endpoint=path, surface=surface), REFUSAL)
    event = parse(raw)
    assert raw.endswith(b"\n\n")
    assert event.name == name
    said = json.loads(event.data)
    assert said["error"]["message"] == "budget b has no room"
    assert said["switchgear"]["limit"] == "1.5"
    if name:
        assert said["type"] == "error"


def test_budget_12_a_stream_of_no_known_format_is_not_written_into() -> None:
    """It could not be read, so it is not stopped either."""
    assert dialect_for("http", "/x").stop(RequestFacts(endpoint="/x"), REFUSAL) == b""
