"""What OpenAI's answers say: usage, errors and the end, from bodies and from streams of each surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.wire.bodies import Said
from switchgear.wire.fields import Fields
from switchgear.wire.openai_counts import Counts, Timings
from switchgear.wire.outcomes import blame
from switchgear.wire.sse import Event  # noqa: TC001 - the protocol's signature
from switchgear.wire.streams import Fate, Tally

if TYPE_CHECKING:
    from switchgear.calls import Usage

__all__ = ["Answer", "ChatTally", "ResponsesTally", "read_answer"]

_DONE: Final = b"[DONE]"


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _Action(msgspec.Struct):
    type: str | None = None


class _Item(msgspec.Struct):
    """One piece of a response's output; of interest are the tools that the provider ran and bills by itself."""

    type: str | None = None
    action: _Action | None = None


class _Failed(msgspec.Struct):
    error: _Error | str | None = None


class Answer(msgspec.Struct):
    """The fields of any answer, or of one chunk of it, that matter here."""

    model: str | None = None
    usage: Counts | None = None
    service_tier: str | None = None
    error: _Error | str | None = None
    timings: Timings | None = None
    output: list[_Item] | None = None

    def counted(self) -> Usage | None:
        """Return the usage, with the provider's own tools in it; None: it has none."""
        usage = self.usage.usage() if self.usage else None
        if usage is None or not self.output:
            return usage
        return _with_tools(usage, self.output)


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
        if self.reasoning_content or self.reasoning or self.refusal:
            # Providers that send both names for reasoning send the same text twice.
            size += max(_size(self.reasoning_content), _size(self.reasoning)) + _size(self.refusal)
        for call in self.tool_calls or ():
            size += _size(call.function.arguments) if call.function else 0
        return size


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    error: _Error | str | None = None


class _Groq(msgspec.Struct):
    usage: Counts | None = None
    error: _Error | str | None = None


class _Chunk(Answer):
    choices: list[_Choice] | None = None
    x_groq: _Groq | None = None

    @property
    def failure(self) -> _Error | str | None:
        """The error that it brings, wherever its provider puts that."""
        if self.error:
            return self.error
        for choice in self.choices or ():
            if choice.error:
                return choice.error
        return (self.x_groq and self.x_groq.error) or None


class _ResponsesEvent(msgspec.Struct):
    type: str | None = None
    delta: str | None = None
    response: Answer | None = None
    error: _Error | str | None = None
    code: str | int | None = None


class _Whole(Answer):
    choices: list[_Failed] | None = None

    @property
    def failure(self) -> _Error | str | None:
        """The error of the answer, or of a choice in it."""
        return self.error or next((choice.error for choice in self.choices or () if choice.error is not None), None)


_ANSWER: Final = Fields(_Whole)
_CHUNK: Final = Fields(_Chunk)
_RESPONSES_EVENT: Final = Fields(_ResponsesEvent)


def read_answer(body: bytes) -> Said | None:
    """Read a body that is no stream; None: it is no JSON."""
    said = _ANSWER.read(body)
    if said is None:
        return None
    failure = said.failure
    error, at_fault = (None, False) if failure is None else _blame(failure)
    usage = said.counted()
    if usage is None and said.timings is not None:
        usage = said.timings.usage()
    return Said(
        usage=usage,
        model=said.model,
        tier=said.service_tier,
        error=error,
        at_fault=at_fault,
        cost=said.usage.billed if said.usage else None,
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
        if (failure := said.failure) is not None:
            label, at_fault = _blame(failure)
            self._count(said)
            self.fail(label, at_fault=at_fault)
            return Fate.LAST
        for choice in said.choices or ():
            delta, text = choice.delta, choice.text
            self.add_text((0 if delta is None else delta.size()) + (0 if text is None else _size(text)))
            if choice.finish_reason is not None:
                self.finished = True
        if said.usage is None and said.timings is None and said.x_groq is None:
            return Fate.PASS
        counted = self._count(said)
        return Fate.DROP if counted and self._drops_usage and said.choices == [] else Fate.PASS

    def _count(self, said: _Chunk) -> bool:
        """Take over what *said* counts; return whether it is a usage in the common place."""
        counts = said.usage or (said.x_groq.usage if said.x_groq else None)
        usage = counts.usage() if counts else None
        if counts is not None and usage is not None:
            self.usage = usage
            self.cost = counts.billed
            self.final = self.finished or not said.choices
            return said.usage is not None
        if said.timings is not None and not self.final and (usage := said.timings.usage()):
            self.usage = usage
            self.final = self.finished
        return False


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

    def _answer(self, answer: Answer) -> None:
        self.model = answer.model or self.model
        self.tier = answer.service_tier or self.tier
        if answer.usage and (usage := answer.counted()):
            self.usage = usage
            self.cost = answer.usage.billed
            self.final = True


def _blame(error: _Error | str) -> tuple[str, bool]:
    """Return the label of *error* and whether the service is at fault."""
    return blame(error) if isinstance(error, str) else blame(error.type, error.code)


def _with_tools(usage: Usage, output: list[_Item]) -> Usage:
    """Return *usage* with the searches in *output*: of a web search's actions only the search itself is billed."""
    web = sum(
        item.type == "web_search_call" and (item.action is None or item.action.type == "search") for item in output
    )
    files = sum(item.type == "file_search_call" for item in output)
    found = dict(usage.units)
    found |= {unit: count for unit, count in (("web_searches", web), ("storage_searches", files)) if count}
    return msgspec.structs.replace(usage, units=tuple(sorted(found.items())))


def _size(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
