"""OpenAI's wire: chat completions, embeddings, models, errors. The Responses API has its own module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from switchgear.drills.sandbox.generation import (
    CREATED,
    Event,
    Generation,
    Reply,
    count_words,
    generate,
    invalid_limit,
    sse,
)

if TYPE_CHECKING:
    from switchgear.drills.sandbox.faults import Fault

__all__ = ["DATED", "chat", "embeddings", "error", "error_event", "models", "text_model"]

DATED: Final = "-2024-07-18"
"""How OpenAI dates a model."""

_MODELS: Final = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small")
_KINDS: Final[dict[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


def error(status: int, message: str, *, param: str | None = None) -> Reply:
    """Return an error as OpenAI words it."""
    kind, code = _KINDS.get(
        status, ("invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "server_error", None)
    )
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return Reply.json(body, status=status)


def error_event(message: str) -> bytes:
    """Return the error that a chat stream ends with when the model fails."""
    return sse({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def text_model(body: Mapping[str, Any]) -> Reply | None:
    """Return the refusal of a request that names no model, or None."""
    if isinstance(body.get("model"), str) and body["model"]:
        return None
    return error(400, "you must provide a model parameter")


def _invalid(body: Mapping[str, Any]) -> Reply | None:
    """Return the refusal of a chat request that lacks what it needs, or None."""
    if missing := text_model(body):
        return missing
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return error(400, "Missing required parameter: 'messages'.", param="messages")
    for name in ("max_completion_tokens", "max_tokens"):
        if invalid_limit(body.get(name)):
            return error(400, f"Invalid '{name}': integer above 0 expected.", param=name)
    return None


def chat(body: Mapping[str, Any], fault: Fault) -> Reply:
    """Answer ``POST /v1/chat/completions``."""
    if refusal := _invalid(body):
        return refusal
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    made = generate(body, input_tokens=count_words(body["messages"]), limit=limit, dated=DATED, fault=fault)
    if body.get("stream"):
        options = body.get("stream_options")
        asked = isinstance(options, Mapping) and bool(options.get("include_usage"))
        return Reply(events=_chat_events(made, include_usage=asked), input_tokens=made.input_tokens)
    message: dict[str, object] = {"role": "assistant", "content": made.text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(made)}
    answer = {**_head(made, "chat.completion"), "choices": [choice], **_usage(made)}
    return Reply.json(answer, input_tokens=made.input_tokens, output_tokens=made.output_tokens)


def _chat_events(made: Generation, *, include_usage: bool) -> Iterator[Event]:
    head = _head(made, "chat.completion.chunk")
    nothing = {"usage": None} if include_usage else {}

    def chunk(delta: Mapping[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**head, "choices": [choice], **nothing})

    yield Event(chunk({"role": "assistant", "content": "", "refusal": None}), made.reasoning)
    for word in made.words:
        yield Event(chunk({"content": word}), 1)
    yield Event(chunk({}, _finish(made)))
    if include_usage and made.usage:
        yield Event(sse({**head, "choices": [], **_usage(made)}))
    yield Event(b"data: [DONE]\n\n")


def _head(made: Generation, kind: str) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{made.key}",
        "object": kind,
        "created": CREATED,
        "model": made.model,
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }


def _finish(made: Generation) -> str:
    return "stop" if made.complete else "length"


def _usage(made: Generation) -> dict[str, object]:
    if not made.usage:
        return {}
    read: dict[str, int] = {"cached_tokens": made.cached, "audio_tokens": 0}
    if made.cache_write:
        read["cache_write_tokens"] = made.cache_write
    return {
        "usage": {
            "prompt_tokens": made.input_tokens,
            "completion_tokens": made.output_tokens,
            "total_tokens": made.input_tokens + made.output_tokens,
            "prompt_tokens_details": read,
            "completion_tokens_details": {
                "reasoning_tokens": made.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
    }


def embeddings(body: Mapping[str, Any], fault: Fault) -> Reply:
    """Answer ``POST /v1/embeddings``: eight numbers for each input."""
    if missing := text_model(body):
        return missing
    given = body.get("input")
    if not isinstance(given, str | list) or not given:
        return error(400, "Missing required parameter: 'input'.", param="input")
    texts = [given] if isinstance(given, str) else given
    made = generate(body, input_tokens=count_words(texts), limit=None, dated=DATED, fault=fault)
    vector = [int(digit, 16) / 16 for digit in made.key[:8]]
    rows = [{"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))]
    answer: dict[str, object] = {"object": "list", "data": rows, "model": made.model}
    if made.usage:
        answer["usage"] = {"prompt_tokens": made.input_tokens, "total_tokens": made.input_tokens}
    return Reply.json(answer, input_tokens=made.input_tokens)


def models() -> Reply:
    """Answer ``GET /v1/models``."""
    rows = [{"id": name, "object": "model", "created": CREATED, "owned_by": "sandbox"} for name in _MODELS]
    return Reply.json({"object": "list", "data": rows})
