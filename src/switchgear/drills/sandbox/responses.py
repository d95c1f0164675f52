"""OpenAI's Responses API on the wire."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from switchgear.drills.sandbox import openai
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
    from collections.abc import Iterator, Mapping

    from switchgear.drills.sandbox.faults import Fault

__all__ = ["error_event", "responses"]


def error_event(message: str) -> bytes:
    """Return the error that a stream of the Responses API ends with when the model fails."""
    data = {"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": 0}
    return sse(data, name="error")


def responses(body: Mapping[str, Any], fault: Fault) -> Reply:
    """Answer ``POST /v1/responses``."""
    if missing := openai.text_model(body):
        return missing
    if not isinstance(body.get("input"), str | list) or not body["input"]:
        return openai.error(400, "Missing required parameter: 'input'.", param="input")
    limit = body.get("max_output_tokens")
    if invalid_limit(limit):
        return openai.error(400, "Invalid 'max_output_tokens': integer above 0 expected.", param="max_output_tokens")
    read = count_words(body.get("instructions")) + count_words(body["input"])
    made = generate(body, input_tokens=read, limit=limit, dated=openai.DATED, fault=fault)
    if body.get("stream"):
        return Reply(events=_events(made), input_tokens=read)
    status = "completed" if made.complete else "incomplete"
    answer = _response(made, status=status, output=[_item(made, status, [_part(made.text)])])
    return Reply.json(answer, input_tokens=read, output_tokens=made.output_tokens)


def _events(made: Generation) -> Iterator[Event]:
    numbers = itertools.count()
    place = {"output_index": 0, "content_index": 0, "item_id": f"msg_{made.key}"}
    status = "completed" if made.complete else "incomplete"
    item = _item(made, status, [_part(made.text)])

    def event(kind: str, **data: object) -> bytes:
        return sse({"type": kind, "sequence_number": next(numbers), **data}, name=kind)

    begun = _response(made, status="in_progress", output=[])
    yield Event(event("response.created", response=begun))
    yield Event(event("response.in_progress", response=begun), made.reasoning)
    yield Event(event("response.output_item.added", output_index=0, item=_item(made, "in_progress", [])))
    yield Event(event("response.content_part.added", **place, part=_part("")))
    for word in made.words:
        yield Event(event("response.output_text.delta", **place, delta=word, logprobs=[]), 1)
    yield Event(event("response.output_text.done", **place, text=made.text, logprobs=[]))
    yield Event(event("response.content_part.done", **place, part=_part(made.text)))
    yield Event(event("response.output_item.done", output_index=0, item=item))
    yield Event(event(f"response.{status}", response=_response(made, status=status, output=[item])))


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(made: Generation, status: str, content: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": f"msg_{made.key}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _response(made: Generation, *, status: str, output: list[dict[str, object]]) -> dict[str, object]:
    answer: dict[str, object] = {
        "id": f"resp_{made.key}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": None,
        "metadata": {},
        "model": made.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }
    if made.usage:
        answer["usage"] = None if status == "in_progress" else _usage(made)
    return answer


def _usage(made: Generation) -> dict[str, object]:
    return {
        "input_tokens": made.input_tokens,
        "input_tokens_details": {"cached_tokens": made.cached, "cache_write_tokens": made.cache_write},
        "output_tokens": made.output_tokens,
        "output_tokens_details": {"reasoning_tokens": made.reasoning},
        "total_tokens": made.input_tokens + made.output_tokens,
    }
