"""The real model, through the providers' own clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from switchgear.local import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.local import LocalModel

pytestmark = pytest.mark.e2e

_QUESTION = "Name three colours."


@pytest.fixture(scope="module")
def gpt(model: LocalModel) -> Iterator[openai.OpenAI]:
    """OpenAI's client on the model."""
    with openai.OpenAI(api_key="none", base_url=f"{model.url}/v1", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def claude(model: LocalModel) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client on the model."""
    with anthropic.Anthropic(api_key="none", base_url=model.url, max_retries=0) as made:
        yield made


def test_chat(gpt: openai.OpenAI) -> None:
    """A chat answer has text, usage and the model's name."""
    answer = gpt.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": _QUESTION}], max_tokens=8)

    assert answer.model == MODEL
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 8
    assert answer.usage.prompt_tokens > 0


def test_chat_stream(gpt: openai.OpenAI) -> None:
    """A chat stream brings text piece by piece, and usage last when asked for."""
    with gpt.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": _QUESTION}],
        max_tokens=8,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage is not None
    assert 0 < chunks[-1].usage.completion_tokens <= 8


def test_responses(gpt: openai.OpenAI) -> None:
    """The Responses API answers with text and usage."""
    answer = gpt.responses.create(model=MODEL, input=_QUESTION, max_output_tokens=8)

    assert answer.output_text
    assert answer.usage is not None
    assert 0 < answer.usage.output_tokens <= 8


def test_responses_stream(gpt: openai.OpenAI) -> None:
    """A response stream ends in the whole response, usage included."""
    with gpt.responses.create(model=MODEL, input=_QUESTION, max_output_tokens=8, stream=True) as stream:
        events = list(stream)

    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage is not None
    assert 0 < events[-1].response.usage.output_tokens <= 8


def test_messages(claude: anthropic.Anthropic) -> None:
    """An Anthropic message has text and usage."""
    answer = claude.messages.create(model=MODEL, messages=[{"role": "user", "content": _QUESTION}], max_tokens=8)

    assert answer.content[0].type == "text"
    assert answer.content[0].text
    assert 0 < answer.usage.output_tokens <= 8
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) > 0


def test_messages_stream(claude: anthropic.Anthropic) -> None:
    """Anthropic's client puts a stream together to a message with usage."""
    with claude.messages.stream(model=MODEL, messages=[{"role": "user", "content": _QUESTION}], max_tokens=8) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()

    assert text
    assert 0 < answer.usage.output_tokens <= 8


async def test_more_calls_than_slots_are_all_answered(model: LocalModel) -> None:
    """Six calls at once, on four slots, are six answers."""
    async with openai.AsyncOpenAI(api_key="none", base_url=f"{model.url}/v1", max_retries=0) as client:
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": f"Say {number}."}], max_tokens=6
                )
                for number in range(6)
            )
        )

    assert all(answer.usage and answer.usage.completion_tokens > 0 for answer in answers)


def test_a_slot_has_room_for_2048_tokens(gpt: openai.OpenAI) -> None:
    """Each slot has 2048 tokens; a longer prompt is the caller's error, not a crash."""
    with pytest.raises(openai.BadRequestError, match=r"exceeds the available context size \(2048 tokens\)"):
        gpt.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 3000}], max_tokens=1)
