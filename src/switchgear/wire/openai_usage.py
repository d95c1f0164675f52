"""What OpenAI's answers say: usage, errors and the end, from bodies and from streams of each surface."""

from __future__ import annotations

from typing import Final

import msgspec

from switchgear.calls import Usage
from switchgear.wire.bodies import Said
from switchgear.wire.fields import Fields, Number, whole
from switchgear.wire.outcomes import error_label, is_callers_fault
from switchgear.wire.sse import Event  # noqa: TC001 - the protocol's signature
from switchgear.wire.streams import Fate, Tally

__all__ = ["ChatTally", "ResponsesTally", "read_answer"]

_DONE: Final = b"[DONE]"


class _InputDetails(msgspec.Struct):
    cached_tokens: Number = None
    cache_write_tokens: Number = None
    audio_tokens: Number = None
    image_tokens: Number = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: Number = None
    audio_tokens: Number = None
    image_tokens: Number = None


class _Usage(msgspec.Struct):
    """Chat, completions and embeddings call the counts prompt and completion, responses and images input and output."""

    prompt_tokens: Number = None
    completion_tokens: Number = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    input_tokens: Number = None
    output_tokens: Number = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    total_tokens: Number = None
    prompt_cache_hit_tokens: Number = None
    cached_tokens: Number = None
    seconds: Number = None

    def usage(self) -> Usage | None:
        """Return the usage in our words; None: it has none of the counts that we know."""
        given = (self.prompt_tokens, self.completion_tokens, self.input_tokens, self.output_tokens, self.seconds)
        if all(count is None for count in given):
            return None
        into = self.prompt_tokens_details or self.input_tokens_details or _InputDetails()
        out = self.completion_tokens_details or self.output_tokens_details or _OutputDetails()
        tokens_in = whole(self.prompt_tokens) or whole(self.input_tokens)
        tokens_out = whole(self.completion_tokens) or whole(self.output_tokens)
        units = (
            ("audio_seconds", whole(self.seconds)),
            ("input_audio_tokens", whole(into.audio_tokens)),
            ("input_image_tokens", whole(into.image_tokens)),
            ("output_audio_tokens", whole(out.audio_tokens)),
            ("output_image_tokens", whole(out.image_tokens)),
        )
        return Usage(
            input_tokens=tokens_in,
            # Some providers leave reasoning out of the completion tokens, but never out of the total.
            output_tokens=max(tokens_out, whole(self.total_tokens) - tokens_in),
            cache_read_tokens=whole(into.cached_tokens)
            or whole(self.prompt_cache_hit_tokens)
            or whole(self.cached_tokens),
            cache_write_tokens=whole(into.cache_write_tokens),
            reasoning_tokens=whole(out.reasoning_tokens),
            units=tuple((unit, count) for unit, count in units if count),
        )


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _Answer(msgspec.Struct):
    model: str | None = None
    usage: _Usage | None = None
    service_tier: str | None = None
    error: _Error | str | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | list[msgspec.Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None

    def size(self) -> int:
        """Return the UTF-8 bytes of all content."""
        content = self.content
        size = sum(len(bytes(part)) for part in content) if isinstance(content, list) else _size(content)
        # Providers that send both names for reasoning send the same text twice.
        size += max(_size(self.reasoning_content), _size(self.reasoning)) + _size(self.refusal)
        for call in self.tool_calls or ():
            size += _size(call.function.arguments) if call.function else 0
        return size


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(_Answer):
    choices: list[_Choice] | None = None


class _ResponsesEvent(msgspec.Struct):
    type: str | None = None
    delta: str | None = None
    response: _Answer | None = None
    error: _Error | str | None = None
    code: str | int | None = None


_ANSWER: Final = Fields(_Answer)
_CHUNK: Final = Fields(_Chunk)
_RESPONSES_EVENT: Final = Fields(_ResponsesEvent)


def read_answer(body: bytes) -> Said | None:
    """Read a body that is no stream; None: it is no JSON."""
    said = _ANSWER.read(body)
    if said is None:
        return None
    error, at_fault = (None, False) if said.error is None else _blame(said.error)
    return Said(
        usage=said.usage.usage() if said.usage else None,
        model=said.model,
        tier=said.service_tier,
        error=error,
        at_fault=at_fault,
    )


class ChatTally(Tally):
    """The chunks of a chat or completions stream. *drops_usage*: the usage chunk was asked for by us alone."""

    def __init__(self, *, drops_usage: bool) -> None:
        super().__init__()
        self._drops_usage = drops_usage

    def read(self, event: Event) -> Fate:
        if event.data.startswith(_DONE):
            self.finished = True
            return Fate.LAST
        said = _CHUNK.read(event.data)
        if said is None:
            self.add_text(1)
            return Fate.PASS
        self.model = said.model or self.model
        self.tier = said.service_tier or self.tier
        if said.error is not None:
            label, at_fault = _blame(said.error)
            self.fail(label, at_fault=at_fault)
            return Fate.LAST
        for choice in said.choices or ():
            self.add_text((choice.delta.size() if choice.delta else 0) + _size(choice.text))
            self.finished = self.finished or choice.finish_reason is not None
        usage = said.usage.usage() if said.usage else None
        if usage is None:
            return Fate.PASS
        self.usage = usage
        self.final = self.finished or not said.choices
        return Fate.DROP if self._drops_usage and said.choices == [] else Fate.PASS


class ResponsesTally(Tally):
    """The events of a responses stream; the last one holds the whole response with its usage."""

    def read(self, event: Event) -> Fate:
        said = _RESPONSES_EVENT.read(event.data)
        if said is None:
            self.add_text(1)
            return Fate.PASS
        if said.delta:
            self.add_text(_size(said.delta))
        if said.response is not None:
            self._answer(said.response)
        if said.type in {"response.completed", "response.incomplete"}:
            self.finished = True
            return Fate.LAST
        if said.type in {"response.failed", "error"}:
            error = said.error or (said.response and said.response.error) or _Error(code=said.code)
            label, at_fault = _blame(error)
            self.fail(label, at_fault=at_fault)
            return Fate.LAST
        return Fate.PASS

    def _answer(self, answer: _Answer) -> None:
        self.model = answer.model or self.model
        self.tier = answer.service_tier or self.tier
        if answer.usage and (usage := answer.usage.usage()):
            self.usage = usage
            self.final = True


def _blame(error: _Error | str) -> tuple[str, bool]:
    """Return the label of *error* and whether the service is at fault."""
    if isinstance(error, str):
        return error_label(error), True
    code = str(error.code) if error.code is not None else None
    return error_label(error.type, code), not is_callers_fault(error.type, code)


def _size(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
