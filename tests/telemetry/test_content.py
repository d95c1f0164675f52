from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Content
from switchgear.telemetry.masking import Masking
from switchgear.telemetry.spans.content import Said

SAID = Said(most=1000, masking=Masking([r"acme-\d+"]))


def words(asked: object, answered: object) -> dict[str, Any]:
    """Return what becomes of a request and an answer, as Python values."""
    bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (asked, answered)]
    found = SAID.words(Content(asked=bodies[0], answered=bodies[1]))
    return {name: json.loads(str(value)) for name, value in found.items()}


def text(role: str, said: str) -> list[dict[str, Any]]:
    """Return a message as the conventions have it."""
    return [{"role": role, "parts": [{"type": "text", "content": said}]}]


CHAT = {"messages": [{"role": "user", "content": "hi"}]}
ANSWERS = [
    {"choices": [{"message": {"role": "assistant", "content": "hello"}}]},
    {"choices": [{"text": "hello"}]},
    {"content": [{"type": "text", "text": "hello"}]},
    {"output": [{"type": "message", "content": [{"type": "output_text", "text": "hello"}]}]},
    (
        b'data: {"choices":[{"delta":{"content":"hel"}}]}\n\n'
        b'data: {"choices":[{"delta":{"content":"lo"}}]}\n\ndata: [DONE]\n\n'
    ),
    b'event: x\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hello"}}\n\n',
    b'data: {"type":"response.output_text.delta","delta":"hello"}\n\n',
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_of_every_shape_are_read(answer: object) -> None:
    """OpenAI's chat, completions and responses, Anthropic's messages; whole and streamed."""
    found = words(CHAT, answer)

    assert found["gen_ai.input.messages"] == text("user", "hi")
    assert found["gen_ai.output.messages"] == text("assistant", "hello")


def test_instructions_stand_apart_and_pictures_stay_at_home() -> None:
    """Of what is no text there is the kind alone."""
    picture = {"type": "image_url", "image_url": {"url": "data:..."}}
    asked = {
        "system": "be brief",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, picture]}],
    }
    found = words(asked, {})

    assert found["gen_ai.system_instructions"] == [{"type": "text", "content": "be brief"}]
    assert found["gen_ai.input.messages"][0]["parts"][1] == {"type": "image_url"}
    assert "gen_ai.output.messages" not in found


def test_secrets_and_what_the_user_names_are_taken_out() -> None:
    """Before anything is cut, so that no half of one is left."""
    found = words({"input": "key sk-planted-0123456789 of acme-42"}, ANSWERS[0])

    assert found["gen_ai.input.messages"] == text("user", "key *** of ***")


@given(st.lists(st.text(max_size=900), max_size=8))
def test_what_goes_along_is_bounded(said: list[str]) -> None:
    """All messages together are no longer than was allowed, but for the words that say how much is missing."""
    found = words({"messages": [{"role": "user", "content": one} for one in said]}, {})
    parts = [message["parts"][0]["content"] for message in found.get("gen_ai.input.messages", [])]

    assert sum(map(len, parts)) <= 1000 + 20 * len(parts)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_bytes_of_any_kind_do_no_harm(asked: bytes, answered: bytes) -> None:
    """What can't be read is left out."""
    SAID.words(Content(asked=asked, answered=answered))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "content", "choices", "delta", "message", "text", "output", "input", "system"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values, json_values)
def test_json_of_any_shape_does_no_harm(asked: object, answered: object) -> None:
    """Members of other types than expected are left out."""
    stream = b"data: " + json.dumps(answered).encode() + b"\n\n"
    for one in (json.dumps(answered).encode(), stream):
        SAID.words(Content(asked=json.dumps(asked).encode(), answered=one))
