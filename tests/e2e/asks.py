"""What the providers' SDKs are asked in the matrix: each once, for the sync and the async client alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import anthropic
import openai

__all__ = ["ASKS", "Ask", "answers_of", "usage_of"]

Kind = Literal["openai", "anthropic"]
QUESTION: Final = "tell me about the sea"
MOST: Final = 7
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 5}},
    "required": ["city"],
    "additionalProperties": False,
}
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
PICTURE: Final = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


class Ask(NamedTuple):
    """One cell of the matrix.

    Attributes:
        name: for the test's id.
        kind: whose SDK.
        call: makes the request with a client, of a model; what it returns is an answer, a stream, or to be awaited.
        streamed: the answer comes as events.
        free: it costs nothing.
        only: ``sandbox``: the real model can't do it.
    """

    name: str
    kind: Kind
    call: Callable[[Any, str], Any]
    streamed: bool = False
    free: bool = False
    only: str = ""


def _chat(client: Any, model: str, **more: Any) -> Any:  # noqa: ANN401 - either client
    asked = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "seed": 7, "max_tokens": MOST}
    return client.chat.completions.create(model=model, **{**asked, **more})


def _responses(client: Any, model: str, **more: Any) -> Any:  # noqa: ANN401 - either client
    return client.responses.create(
        model=model, **{"input": QUESTION, "temperature": 0, "max_output_tokens": MOST, **more}
    )


def _message(client: Any, model: str, **more: Any) -> Any:  # noqa: ANN401 - either client
    asked = {"messages": [{"role": "user", "content": QUESTION}], "extra_body": {"temperature": 0}, "max_tokens": MOST}
    return client.messages.create(model=model, **{**asked, **more})


def _count(client: Any, model: str) -> Any:  # noqa: ANN401 - either client
    return client.messages.count_tokens(model=model, messages=[{"role": "user", "content": QUESTION}])


def _embeddings(client: Any, model: str) -> Any:  # noqa: ANN401 - either client
    return client.embeddings.create(model="text-embedding-3-small", input=[QUESTION, "and the sky"])


CHAT_TOOLS: Final = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
CHAT_SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
CHAT_IMAGE: Final = [{"role": "user", "content": [{"type": "text", "text": QUESTION}, PICTURE]}]
RESPONSES_TOOLS: Final = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
RESPONSES_SCHEMA: Final = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
RESPONSES_IMAGE: Final = [
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": QUESTION},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"},
        ],
    }
]
MESSAGE_TOOLS: Final = [{"name": "weather", "description": "tells the weather", "input_schema": SCHEMA}]
MESSAGE_IMAGE: Final = [
    {
        "role": "user",
        "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "text", "text": QUESTION},
        ],
    }
]
USAGE: Final = {"stream_options": {"include_usage": True}}

ASKS: Final = (
    Ask("chat", "openai", _chat),
    Ask("chat-stream", "openai", lambda client, model: _chat(client, model, stream=True, **USAGE), streamed=True),
    Ask("chat-stream-bare", "openai", lambda client, model: _chat(client, model, stream=True), streamed=True),
    Ask("chat-tools", "openai", lambda client, model: _chat(client, model, tools=CHAT_TOOLS)),
    Ask(
        "chat-tools-stream",
        "openai",
        lambda client, model: _chat(client, model, tools=CHAT_TOOLS, stream=True, **USAGE),
        streamed=True,
    ),
    Ask("chat-schema", "openai", lambda client, model: _chat(client, model, response_format=CHAT_SCHEMA)),
    Ask("chat-image", "openai", lambda client, model: _chat(client, model, messages=CHAT_IMAGE), only="sandbox"),
    Ask("responses", "openai", _responses),
    Ask("responses-stream", "openai", lambda client, model: _responses(client, model, stream=True), streamed=True),
    Ask("responses-tools", "openai", lambda client, model: _responses(client, model, tools=RESPONSES_TOOLS)),
    Ask("responses-schema", "openai", lambda client, model: _responses(client, model, text=RESPONSES_SCHEMA)),
    Ask(
        "responses-image",
        "openai",
        lambda client, model: _responses(client, model, input=RESPONSES_IMAGE),
        only="sandbox",
    ),
    Ask("embeddings", "openai", _embeddings, only="sandbox"),
    Ask("message", "anthropic", _message),
    Ask("message-stream", "anthropic", lambda client, model: _message(client, model, stream=True), streamed=True),
    Ask("message-tools", "anthropic", lambda client, model: _message(client, model, tools=MESSAGE_TOOLS)),
    Ask(
        "message-tools-stream",
        "anthropic",
        lambda client, model: _message(client, model, tools=MESSAGE_TOOLS, stream=True),
        streamed=True,
    ),
    Ask(
        "message-image",
        "anthropic",
        lambda client, model: _message(client, model, messages=MESSAGE_IMAGE),
        only="sandbox",
    ),
    Ask("count-tokens", "anthropic", _count, free=True),
)


async def answers_of(ask: Ask, client: Any, model: str) -> list[dict[str, Any]]:  # noqa: ANN401 - four classes
    """Return the answer, or the events of the stream, as the SDK made them, each as plain data."""
    answer = ask.call(client, model)
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, openai.AsyncStream | anthropic.AsyncStream):
        return [event.model_dump(mode="json") async for event in answer]
    if isinstance(answer, openai.Stream | anthropic.Stream):
        return [event.model_dump(mode="json") for event in answer]
    return [answer.model_dump(mode="json")]


def usage_of(answers: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Return the input and output tokens that *answers* tell, all input counted; None: they tell nothing."""
    told: dict[str, Any] = {}
    for answer in answers:
        inner = answer.get("response") or answer.get("message") or answer
        told |= {name: value for name, value in (inner.get("usage") or {}).items() if value is not None}
    if "prompt_tokens" in told:
        return told["prompt_tokens"], told.get("completion_tokens") or 0
    if "input_tokens" not in told or "output_tokens" not in told:
        return None
    cached = 0 if "input_tokens_details" in told else _cached(told)
    return told["input_tokens"] + cached, told["output_tokens"]


def _cached(told: dict[str, Any]) -> int:
    read: int = told.get("cache_read_input_tokens") or 0
    written: int = told.get("cache_creation_input_tokens") or 0
    return read + written
