"""OpenAI's wire format: chat, completions, responses and embeddings, as many other providers speak it.

Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from switchgear.calls import Usage
from switchgear.wire.base import RequestFacts, Surface
from switchgear.wire.batches import batch_facts, read_batch
from switchgear.wire.bounds import LEAST_CONVERSATION, InputBound, Tool, input_bound, searches, tool_tokens
from switchgear.wire.fields import UNREADABLE, Anything, Fields, Number, is_given, whole
from switchgear.wire.generic import FREE_METHODS, endpoint_of
from switchgear.wire.openai_media import MEDIA, MediaTally, media_facts, read_media
from switchgear.wire.openai_usage import ChatTally, ResponsesTally, read_answer
from switchgear.wire.readers import answer_reader
from switchgear.wire.refusals import wire_refusal
from switchgear.wire.stream_options import ask_for_usage, asks_for_usage
from switchgear.wire.tokens import counter_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Reason, Refusal
    from switchgear.wire.base import Headers, Reader, WireRefusal
    from switchgear.wire.bodies import Said
    from switchgear.wire.streams import Tally

__all__ = ["OpenAIDialect", "image_tokens"]

_SURFACES: Final[tuple[tuple[str, Surface], ...]] = (
    ("/chat/completions", "chat"),
    ("/completions", "completions"),
    ("/responses", "responses"),
    ("/responses/compact", "responses"),
    ("/embeddings", "embeddings"),
    ("/moderations", "moderations"),
    ("/images/generations", "images"),
    ("/images/edits", "images"),
    ("/images/variations", "images"),
    ("/audio/speech", "speech"),
    ("/audio/transcriptions", "transcription"),
    ("/audio/translations", "transcription"),
)
_FREE_PATHS: Final = ("/files", "/uploads", "/complete", "/parts", "/cancel", "/input_tokens")
_DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)/")
_AZURE: Final = re.compile(r"/openai/(?!v1(?:[/?]|$))|/deployments/")
"""Paths of Azure but its newest, which takes a bearer token as everybody does."""

_TYPES: Final[dict[Reason, tuple[str, str]]] = {
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "breaker": ("server_error", "service_unavailable"),
    "budget": ("insufficient_quota", "budget_exceeded"),
    "skip": ("insufficient_quota", "budget_exceeded"),
    "unpriced": ("insufficient_quota", "model_not_priced"),
}


class _Request(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None
    stream_options: Anything = msgspec.UNSET
    n: Number = None
    best_of: Number = None
    max_tokens: Number = None
    max_completion_tokens: Number = None
    max_output_tokens: Number = None
    modalities: list[str] | None = None
    service_tier: str | None = None
    tools: list[Tool] | None = None
    max_tool_calls: Number = None
    prompt: Anything = msgspec.UNSET
    previous_response_id: Anything = msgspec.UNSET
    conversation: Anything = msgspec.UNSET
    web_search_options: Anything = msgspec.UNSET


_FIELDS: Final = Fields(_Request)


class OpenAIDialect:
    """Services of kind ``openai``, and these surfaces of any other."""

    name = "openai"

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        endpoint, surface, model, billable, batch = _place(method, path)
        if batch is not None:
            return batch
        if surface in MEDIA and billable:
            plain = RequestFacts(endpoint=endpoint, model=model)
            return media_facts(plain, surface=surface, content_type=content_type, body=body)
        asked = _FIELDS.read(body) if body else None
        if asked is None:
            return RequestFacts(endpoint=endpoint, surface=surface, model=model, billable=billable)
        bound, output_given, input_given = _bound(asked, surface, body)
        return RequestFacts(
            endpoint=endpoint,
            surface=surface,
            model=model or asked.model or None,
            streamed=bool(asked.stream),
            bound=bound,
            max_output_given=output_given or not billable,
            input_bounded=input_given,
            choices=_choices(asked, surface),
            tier=asked.service_tier,
            billable=billable,
            is_json=True,
            adds_usage=bool(asked.stream)
            and surface in {"chat", "completions"}
            and not asks_for_usage(asked.stream_options),
        )

    def outgoing(self, facts: RequestFacts, body: bytes) -> bytes:
        return ask_for_usage(body) if facts.adds_usage else body

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        tally: Tally | None = None
        interpret: Callable[[bytes], Said | None] = read_answer
        if facts.surface in {"chat", "completions"}:
            tally = ChatTally(drops_usage=facts.adds_usage)
        elif facts.surface == "responses":
            tally = ResponsesTally()
        elif facts.surface in MEDIA:
            tally = MediaTally(facts)
            interpret = functools.partial(read_media, facts)
        elif facts.surface == "batches":
            interpret = read_batch
        return answer_reader(facts, status=status, headers=headers, tally=tally, interpret=interpret)

    def refusal(self, refusal: Refusal) -> WireRefusal:
        kind, code = _TYPES[refusal.reason]
        return wire_refusal(refusal, {"error": {"message": refusal.message, "type": kind, "param": None, "code": code}})

    def stop(self, facts: RequestFacts, refusal: Refusal) -> bytes:
        _, code = _TYPES[refusal.reason]
        return _event(facts, self.refusal(refusal).body, code=code, message=refusal.message)

    def stall(self, facts: RequestFacts, message: str) -> bytes:
        error = {"message": message, "type": "server_error", "param": None, "code": "timeout"}
        return _event(facts, msgspec.json.encode({"error": error}), code="timeout", message=message)

    def auth_headers(self, key: str, *, url: str) -> tuple[tuple[str, str], ...]:
        if _AZURE.search(url):
            return (("api-key", key),)
        return (("authorization", f"Bearer {key}"),)


class _Place(NamedTuple):
    """What method and path of a request say; *batch*: they say it all."""

    endpoint: str
    surface: Surface
    model: str | None
    billable: bool
    batch: RequestFacts | None


@functools.lru_cache(maxsize=1024)  # the same few, again and again
def _place(method: str, path: str) -> _Place:
    endpoint = endpoint_of(path)
    trimmed = endpoint.rstrip("/")
    surface: Surface = next((surface for suffix, surface in _SURFACES if trimmed.endswith(suffix)), "other")
    deployment = _DEPLOYMENT.search(endpoint)
    billable = method.upper() not in FREE_METHODS and not trimmed.endswith(_FREE_PATHS)
    return _Place(endpoint, surface, deployment[1] if deployment else None, billable, batch_facts(method, endpoint))


def _event(facts: RequestFacts, body: bytes, *, code: str, message: str) -> bytes:
    """Return the event that ends a stream with the error in *body*."""
    if facts.surface != "responses":
        return b"data: " + body + b"\n\n"
    event = {"type": "error", "code": code, "message": message, "param": None, **msgspec.json.decode(body)}
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def image_tokens(model: str | None) -> int:
    """Return the stated bound for one image: 12,000 tokens, for gpt-4o-mini 48,200.

    The newest models take up to 10,000 patches of 32 x 32 pixels at 1.2 tokens, older ones less than
    4,000 tokens. gpt-4o-mini counts 2,833 + 5,667 for each of up to 8 tiles, to cost the same as gpt-4o.
    """
    return 48_200 if "4o-mini" in (model or "") else 12_000


def _choices(asked: _Request, surface: Surface) -> int:
    if surface not in {"chat", "completions"}:
        return 1
    answers = max(1, whole(asked.n), whole(asked.best_of))
    if surface == "completions" and isinstance(asked.prompt, msgspec.Raw):
        answers *= _prompts(asked.prompt)
    return answers


def _prompts(prompt: msgspec.Raw) -> int:
    """Return how many prompts a completions request holds: a list of texts or token lists is many."""
    try:
        many = msgspec.json.decode(prompt, type=list[str | list[int]])
    except UNREADABLE:
        return 1
    return max(1, len(many))


def _bound(asked: _Request, surface: Surface, body: bytes) -> tuple[Usage, bool, bool]:
    """Return the bound, whether its output holds, and whether its input holds."""
    inputs = input_bound(body, image_tokens(asked.model), counter_for(asked.model))
    tools, tools_bounded = tool_tokens(asked.tools)
    least = LEAST_CONVERSATION if surface in {"chat", "responses"} else 0
    limit = max(whole(asked.max_tokens), whole(asked.max_completion_tokens), whole(asked.max_output_tokens))
    output = limit * _choices(asked, surface)
    usage = Usage(
        input_tokens=max(inputs.tokens + tools, least),
        output_tokens=output,
        units=_units(asked, inputs, output) if _has_units(asked, inputs) else (),
    )
    elsewhere = [asked.previous_response_id, asked.conversation, asked.web_search_options]
    if surface == "responses":
        elsewhere.append(asked.prompt)  # the name of a stored prompt, not a text
    bounded = inputs.bounded and tools_bounded and not any(map(is_given, elsewhere))
    return usage, limit > 0 or surface in {"embeddings", "moderations"}, bounded


def _has_units(asked: _Request, inputs: InputBound) -> bool:
    """Return whether anything but tokens may be used; few requests do."""
    return bool(asked.tools or asked.modalities or inputs.audio or inputs.images) or is_given(asked.web_search_options)


def _units(asked: _Request, inputs: InputBound, output: int) -> tuple[tuple[str, int], ...]:
    speaks = "audio" in (asked.modalities or ())
    looks_up = searches(asked.tools, asked.max_tool_calls)
    if is_given(asked.web_search_options):
        looks_up = (*looks_up, ("web_searches", 1))
    units = (
        *looks_up,
        ("input_audio_tokens", inputs.audio),
        ("input_image_tokens", inputs.images),
        ("output_audio_tokens", output),
    )
    return tuple(sorted((unit, n) for unit, n in units if (speaks if unit == "output_audio_tokens" else n)))
