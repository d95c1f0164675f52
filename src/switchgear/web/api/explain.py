"""``/api/admission/explain``: what the gate would say to a call, without making it."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from switchgear.governor.question import KEYS, QuestionError, read_question
from switchgear.insight.explained import ExplainedItem
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (ExplainedItem,)

_LARGEST: Final = 64 * 1024

_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SCHEMA: Final = {
    "type": "object",
    "required": ["service"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(KEYS, _TEXT),
        **dict.fromkeys(("tokens", "input_tokens", "max_output_tokens"), _COUNT),
        "units": {"type": "object", "additionalProperties": _COUNT},
        "tags": {"type": "object", "additionalProperties": _TEXT},
        "max_wait": {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0}]},
    },
}


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.post(
        "/api/admission/explain",
        summary="What the gate would say to a call now; nothing is consumed",
        responses=documented(ExplainedItem, 400, 503),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}},
    )
    async def explain(request: Request) -> Response:
        read_query(request, NoQuery)
        said = await _said(request)
        return await run_in_threadpool(_explained, deps, said)


def _explained(deps: WebDeps, said: dict[str, Any]) -> Response:
    if deps.gate is None:
        raise Problem(503, "This process has no gate to ask; it shows pages only.")
    try:
        question = read_question(said, deps.config, deps.gate.book, deps.now())
    except QuestionError as error:
        raise Problem(400, f"{error}.", key=error.key, valid=error.valid) from None
    found = deps.gate.explainer.explain(question.call, max_wait_us=question.max_wait_us, cheaper=question.cheaper)
    item = ExplainedItem.of(
        found.call, found.told, cost=found.cost, price_version=found.price_version, refusal=found.refusal
    )
    return answer(item)


async def _said(request: Request) -> dict[str, Any]:
    """Return the body, a JSON object.

    Raises:
        Problem: 400; it is none, or far too large.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Problem(400, f"The body is larger than {_LARGEST:,} bytes.")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Problem(400, 'The body is a JSON object such as {"service": "openai", "tokens": 1000}.', valid=KEYS)
    return said
