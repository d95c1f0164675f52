from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.sandbox import Sandbox

_ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    """OpenAI's own client on the sandbox."""
    with openai.OpenAI(api_key="none", base_url=f"{sandbox.url}/v1", max_retries=0) as made:
        yield made


def test_chat_bears_exact_usage(sdk: openai.OpenAI) -> None:
    """A chat answer has the tokens of the rule, details included."""
    answer = sdk.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}],
        max_completion_tokens=9,
        extra_headers={"x-sandbox-fault": "output=40;cached=4;cache_write=1;reasoning=2"},
    )

    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 5
    assert answer.usage.completion_tokens == 9
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.usage.prompt_tokens_details.cache_write_tokens == 1
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 2
    assert answer.choices[0].finish_reason == "length"
    assert len((answer.choices[0].message.content or "").split()) == 7


def test_a_chat_stream_gives_the_same_text_one_word_a_chunk(sdk: openai.OpenAI) -> None:
    """What is streamed is what is not streamed, one token a chunk."""
    whole = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "why"}])
    with sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "why"}], stream=True) as stream:
        deltas = [chunk.choices[0].delta.content for chunk in stream]

    assert [delta for delta in deltas if delta] == (whole.choices[0].message.content or "").replace(" ", "\n ").split(
        "\n"
    )
    assert whole.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("options", "usages"),
    [
        ({}, ["absent"] * 4),
        ({"stream_options": {"include_usage": False}}, ["absent"] * 4),
        ({"stream_options": {"include_usage": True}}, [None, None, None, None, 5]),
    ],
)
def test_stream_usage_comes_only_when_asked_for(
    client: httpx2.Client, options: dict[str, object], usages: list[object]
) -> None:
    """Usage is one last chunk without choices, and null before, if asked for; else there is no word of it."""
    answer = client.post("/v1/chat/completions", json=_ASKED | {"stream": True, "max_tokens": 2} | options)
    events = answer.text.strip().split("\n\n")
    chunks = [httpx2.Response(200, text=event.removeprefix("data: ")).json() for event in events[:-1]]

    assert events[-1] == "data: [DONE]"
    assert [
        usage["total_tokens"] if isinstance(usage, dict) else usage
        for usage in (c.get("usage", "absent") for c in chunks)
    ] == usages
    assert [len(chunk["choices"]) for chunk in chunks] == [1, 1, 1, 1, 0][: len(chunks)]


def test_embeddings_bear_input_tokens_alone(sdk: openai.OpenAI) -> None:
    """Each input gets a vector, and usage is what was read."""
    answer = sdk.embeddings.create(model="text-embedding-3-small", input=["one two", "three"])

    assert [len(row.embedding) for row in answer.data] == [8, 8]
    assert answer.usage.total_tokens == 3


def test_models_are_listed(sdk: openai.OpenAI) -> None:
    """``GET /v1/models`` names the models."""
    assert "gpt-4o-mini" in [model.id for model in sdk.models.list()]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("chat/completions", {"messages": []}, None),
        ("chat/completions", {"model": "m"}, "messages"),
        ("chat/completions", _ASKED | {"max_tokens": 0}, "max_tokens"),
        ("responses", {"model": "m"}, "input"),
        ("responses", {"model": "m", "input": "x", "max_output_tokens": "9"}, "max_output_tokens"),
        ("embeddings", {"model": "m"}, "input"),
        ("embeddings", {"input": "x"}, None),
        ("responses", {"input": "x"}, None),
    ],
)
def test_bad_input_is_refused_as_openai_does(
    client: httpx2.Client, path: str, body: dict[str, object], param: str | None
) -> None:
    """What lacks a model or its question gets 400 in OpenAI's shape."""
    answer = client.post(f"/v1/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == param


def test_a_dated_model_is_named_when_asked_for(sdk: openai.OpenAI) -> None:
    """The answer names the model that was asked, or the dated one."""
    named = [
        sdk.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "x"}],
            extra_headers={"x-sandbox-fault": fault},
        ).model
        for fault in ("", "dated_model", "dated_model=other")
    ]

    assert named == ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "other"]


def test_an_error_event_ends_the_stream(sdk: openai.OpenAI) -> None:
    """A failure inside a stream reaches the client as OpenAI's own error."""
    stream = sdk.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": "x"}],
        stream=True,
        extra_headers={"x-sandbox-fault": "error_event=3"},
    )
    seen: list[object] = []
    with pytest.raises(openai.APIError, match="The model failed"), stream:
        seen.extend(stream)

    assert len(seen) == 3


def test_responses_bear_exact_usage(sdk: openai.OpenAI) -> None:
    """The Responses API counts instructions and input, and says when its bound ended the text."""
    answer = sdk.responses.create(
        model="m",
        instructions="be brief",
        input="one two",
        max_output_tokens=3,
        extra_headers={"x-sandbox-fault": "cached=1;reasoning=1"},
    )

    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (4, 3, 7)
    assert answer.usage.input_tokens_details.cached_tokens == 1
    assert answer.usage.output_tokens_details.reasoning_tokens == 1
    assert answer.status == "incomplete"
    assert len(answer.output_text.split()) == 2


def test_a_response_stream_ends_in_the_same_response(sdk: openai.OpenAI) -> None:
    """The SDK puts a response stream together to the response that is not streamed."""
    whole = sdk.responses.create(model="m", input="one two")
    with sdk.responses.stream(model="m", input="one two") as stream:
        streamed = stream.get_final_response()

    assert streamed.output_text == whole.output_text
    assert streamed.usage == whole.usage


def test_an_error_event_ends_a_response_stream(sdk: openai.OpenAI) -> None:
    """A failure inside a response stream is an event of type error, and the last one."""
    stream = sdk.responses.create(model="m", input="x", stream=True, extra_headers={"x-sandbox-fault": "error_event=1"})

    assert [event.type for event in stream] == ["response.created", "error"]
