"""Anthropic's wire format: messages, streamed or not.

Source: https://docs.anthropic.com/en/api/messages and https://docs.anthropic.com/en/api/messages-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Usage
from switchgear.wire.anthropic_usage import MessagesTally, read_message, read_result
from switchgear.wire.base import RequestFacts
from switchgear.wire.batches import ResultsReader, batch_facts, is_results
from switchgear.wire.bounds import LEAST_CONVERSATION, Tool, input_bound, searches, tool_tokens
from switchgear.wire.encodings import decoder_for
from switchgear.wire.fields import Anything, Fields, Number, is_given, whole
from switchgear.wire.generic import FREE_METHODS, endpoint_of
from switchgear.wire.readers import answer_reader, header
from switchgear.wire.refusals import wire_refusal

if TYPE_CHECKING:
    from switchgear.calls import Reason, Refusal
    from switchgear.wire.base import Headers, Reader, WireRefusal

__all__ = ["IMAGE_TOKENS", "AnthropicDialect"]

IMAGE_TOKENS: Final = 5_000
"""For each image: the largest take 4,784 tokens (28 x 28 pixel patches of a 2,576 pixel edge)."""

_OK: Final = 200
_FREE_PATHS: Final = ("/messages/count_tokens", "/cancel", "/files")

_ERROR_TYPES: Final[dict[Reason, str]] = {
    "rate_limit": "rate_limit_error",
    "breaker": "overloaded_error",
    "budget": "billing_error",
    "skip": "billing_error",
    "unpriced": "billing_error",
}


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    max_tokens: Number = None
    max_tokens_to_sample: Number = None
    service_tier: str | None = None
    speed: str | None = None
    tools: list[Tool] | None = None
    mcp_servers: Anything = msgspec.UNSET
    container: Anything = msgspec.UNSET


_FIELDS: Final = Fields(_Request)


class AnthropicDialect:
    """Services of kind ``anthropic``, and the messages API of any other."""

    name = "anthropic"

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:  # noqa: ARG002 - the protocol's signature
        endpoint = endpoint_of(path)
        if (batch := batch_facts(method, endpoint)) is not None:
            return batch
        billable = method.upper() not in FREE_METHODS and not endpoint.rstrip("/").endswith(_FREE_PATHS)
        asked = _FIELDS.read(body) if body else None
        if asked is None:
            return RequestFacts(endpoint=endpoint, billable=billable)
        bound = input_bound(body, IMAGE_TOKENS)
        tools, tools_bounded = tool_tokens(asked.tools)
        tokens = max(bound.tokens + tools, LEAST_CONVERSATION)
        limit = whole(asked.max_tokens) or whole(asked.max_tokens_to_sample)
        return RequestFacts(
            endpoint=endpoint,
            surface="messages" if endpoint.rstrip("/").endswith("/messages") else "other",
            model=asked.model or None,
            streamed=bool(asked.stream),
            bound=Usage(
                input_tokens=tokens,
                output_tokens=limit,
                # Writing to the cache for an hour costs more than for five minutes.
                units=((("cache_write_1h_tokens", tokens),) if b'"1h"' in body else ()) + searches(asked.tools),
            ),
            max_output_given=limit > 0 or not billable,
            input_bounded=bound.bounded
            and tools_bounded
            and not is_given(asked.mcp_servers)
            and not is_given(asked.container),
            tier=asked.speed or asked.service_tier,
            billable=billable,
            is_json=True,
        )

    def outgoing(self, facts: RequestFacts, body: bytes) -> bytes:  # noqa: ARG002 - the protocol's signature
        return body

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        if facts.surface == "batches" and is_results(facts.endpoint) and status == _OK:
            return ResultsReader(facts, decoder_for(header(headers, "content-encoding")), read_result)
        tally = MessagesTally() if facts.surface == "messages" else None
        return answer_reader(facts, status=status, headers=headers, tally=tally, interpret=read_message)

    def refusal(self, refusal: Refusal) -> WireRefusal:
        error = {"type": _ERROR_TYPES[refusal.reason], "message": refusal.message}
        return wire_refusal(refusal, {"type": "error", "error": error})

    def stop(self, facts: RequestFacts, refusal: Refusal) -> bytes:  # noqa: ARG002 - the protocol's signature
        return b"event: error\ndata: " + self.refusal(refusal).body + b"\n\n"

    def stall(self, facts: RequestFacts, message: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        error = {"type": "error", "error": {"type": "timeout_error", "message": message}}
        return b"event: error\ndata: " + msgspec.json.encode(error) + b"\n\n"

    def auth_headers(self, key: str, *, url: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the protocol's signature
        return (("x-api-key", key),)
