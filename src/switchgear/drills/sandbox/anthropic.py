"""Anthropic's wire: messages, token counting, errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from switchgear.drills.sandbox.generation import (
    Event,
    Generation,
    Reply,
    count_words,
    generate,
    invalid_limit,
    sse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.drills.sandbox.faults import Fault

__all__ = ["count_tokens", "error", "error_event", "messages"]

_DATED: Final = "-20241022"
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error(status: int, message: str) -> Reply:
    """Return an error as Anthropic words it."""
    kind = _KINDS.get(status, "invalid_request_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error")
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_sandbox"}
    return Reply.json(body, status=status)


def error_event(message: str) -> bytes:
    """Return the error that a stream ends with when the model fails."""
    return sse({"type": "error", "error": {"type": "overloaded_error", "message": message}}, name="error")


def messages(body: Mapping[str, Any], fault: Fault) -> Reply:
    """Answer ``POST /v1/messages``."""
    if refusal := _invalid(body):
        return refusal
    limit = body.get("max_tokens")
    if limit is None:
        return error(400, "max_tokens: Field required")
    if invalid_limit(limit):
        return error(400, "max_tokens: Input should be greater than or equal to 1")
    made = generate(body, input_tokens=_count(body), limit=limit, dated=_DATED, fault=fault)
    if body.get("stream"):
        return Reply(events=_events(made), input_tokens=made.input_tokens)
    answer = _message(made, content=[{"type": "text", "text": made.text}], stop=_stop(made))
    answer.update(_usage(made, made.output_tokens))
    return Reply.json(answer, input_tokens=made.input_tokens, output_tokens=made.output_tokens)


def count_tokens(body: Mapping[str, Any], _: Fault) -> Reply:
    """Answer ``POST /v1/messages/count_tokens``, which reads nothing that is paid for."""
    if refusal := _invalid(body):
        return refusal
    return Reply.json({"input_tokens": _count(body)})


def _invalid(body: Mapping[str, Any]) -> Reply | None:
    if not isinstance(body.get("model"), str) or not body["model"]:
        return error(400, "model: Field required")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        return error(400, "messages: Field required")
    return None


def _count(body: Mapping[str, Any]) -> int:
    return count_words(body.get("system")) + count_words(body["messages"])


def _events(made: Generation) -> Iterator[Event]:
    def event(kind: str, **data: object) -> bytes:
        return sse({"type": kind, **data}, name=kind)

    begun = _message(made, content=[], stop=None) | _usage(made, min(1, made.output_tokens))
    yield Event(event("message_start", message=begun), made.reasoning)
    yield Event(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    yield Event(event("ping"))
    for word in made.words:
        yield Event(event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}), 1)
    yield Event(event("content_block_stop", index=0))
    delta = {"stop_reason": _stop(made), "stop_sequence": None}
    yield Event(event("message_delta", delta=delta, **_usage(made, made.output_tokens)))
    yield Event(event("message_stop"))


def _message(made: Generation, *, content: list[dict[str, object]], stop: str | None) -> dict[str, object]:
    return {
        "id": f"msg_{made.key}",
        "type": "message",
        "role": "assistant",
        "model": made.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }


def _stop(made: Generation) -> str:
    return "end_turn" if made.complete else "max_tokens"


def _usage(made: Generation, output_tokens: int) -> dict[str, object]:
    if not made.usage:
        return {}
    usage: dict[str, object] = {
        "input_tokens": made.input_tokens - made.cached - made.cache_write,
        "cache_creation_input_tokens": made.cache_write,
        "cache_read_input_tokens": made.cached,
        "output_tokens": output_tokens,
    }
    if made.reasoning:
        usage["output_tokens_details"] = {"thinking_tokens": made.reasoning}
    return {"usage": usage}
