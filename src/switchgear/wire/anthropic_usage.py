"""What Anthropic's answers say: usage, errors and the end, from bodies and from streams."""

from __future__ import annotations

from typing import Final

import msgspec

from switchgear.calls import Usage
from switchgear.wire.bodies import Said
from switchgear.wire.fields import Fields, Number, whole
from switchgear.wire.outcomes import blame
from switchgear.wire.sse import Event  # noqa: TC001 - the protocol's signature
from switchgear.wire.streams import Fate, Tally

__all__ = ["MessagesTally", "read_message", "read_result"]


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Number = None
    ephemeral_1h_input_tokens: Number = None


class _ServerTools(msgspec.Struct):
    web_search_requests: Number = None
    code_execution_requests: Number = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Number = None


class _Iteration(msgspec.Struct):
    type: str | None = None
    input_tokens: Number = None
    output_tokens: Number = None
    cache_read_input_tokens: Number = None
    cache_creation_input_tokens: Number = None


class _Usage(msgspec.Struct):
    """``input_tokens`` of Anthropic leaves out what was read from or written to the cache."""

    input_tokens: Number = None
    output_tokens: Number = None
    cache_read_input_tokens: Number = None
    cache_creation_input_tokens: Number = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerTools | None = None
    output_tokens_details: _OutputDetails | None = None
    iterations: list[_Iteration] | None = None
    service_tier: str | None = None
    speed: str | None = None

    def usage(self) -> Usage:
        # Compacting a long conversation is billed, and is in none of the totals.
        compacted = [one for one in self.iterations or () if one.type == "compaction"]
        cache = self.cache_creation or _CacheCreation()
        hour = whole(cache.ephemeral_1h_input_tokens)
        read = _sum(self.cache_read_input_tokens, *(one.cache_read_input_tokens for one in compacted))
        written = _sum(self.cache_creation_input_tokens, *(one.cache_creation_input_tokens for one in compacted))
        written = max(written, hour + whole(cache.ephemeral_5m_input_tokens))
        details = self.output_tokens_details
        tools = self.server_tool_use or _ServerTools()
        units = (
            ("cache_write_1h_tokens", hour),
            ("code_executions", whole(tools.code_execution_requests)),
            ("web_searches", whole(tools.web_search_requests)),
        )
        return Usage(
            input_tokens=_sum(self.input_tokens, *(one.input_tokens for one in compacted)) + read + written,
            output_tokens=_sum(self.output_tokens, *(one.output_tokens for one in compacted)),
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=whole(details.thinking_tokens) if details else 0,
            units=tuple((unit, count) for unit, count in units if count),
        )

    @property
    def tier(self) -> str | None:
        return self.speed if self.speed == "fast" else self.service_tier


def _sum(*counts: Number) -> int:
    return sum(map(whole, counts))


class _Error(msgspec.Struct):
    type: str | None = None


class _Message(msgspec.Struct):
    type: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: _Error | None = None


class _Delta(msgspec.Struct):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_MESSAGE: Final = Fields(_Message)
_EVENT: Final = Fields(_Event)


def read_message(body: bytes) -> Said | None:
    """Read a body that is no stream; None: it is no JSON."""
    said = _MESSAGE.read(body)
    if said is None:
        return None
    error, at_fault = blame(said.error.type) if said.error else (None, False)
    return Said(
        usage=said.usage.usage() if said.usage else None,
        model=said.model,
        tier=said.usage.tier if said.usage else None,
        error=error,
        at_fault=at_fault,
    )


class _Result(msgspec.Struct):
    message: _Message | None = None


class _Line(msgspec.Struct):
    result: _Result | None = None


_LINE: Final = Fields(_Line)


def read_result(line: bytes) -> Said | None:
    """Read one line of a batch's results; None: it has no message."""
    said = _LINE.read(line)
    message = said.result.message if said and said.result else None
    if message is None:
        return None
    return Said(usage=message.usage.usage() if message.usage else None, model=message.model, tier="batch")


class MessagesTally(Tally):
    """The events of a streamed message: ``message_start`` has the input, each ``message_delta`` the totals so far."""

    def __init__(self) -> None:
        super().__init__()
        self._reported = _Usage()

    def read(self, event: Event) -> Fate:
        said = _EVENT.read(event.data)
        if said is None:
            self.add_text(1)
        elif said.type == "content_block_delta":
            delta = said.delta or _Delta()
            self.add_text(sum(len(part.encode()) for part in (delta.text, delta.partial_json, delta.thinking) if part))
        elif said.type == "message_start" and said.message is not None:
            self.model = said.message.model
            self._report(said.message.usage)
        elif said.type == "message_delta":
            self._report(said.usage)
            self.final = said.usage is not None
        elif said.type == "message_stop":
            self.finished = True
            return Fate.LAST
        elif said.type == "error":
            label, at_fault = blame(said.error and said.error.type)
            self.fail(label, at_fault=at_fault)
            return Fate.LAST
        return Fate.PASS

    def _report(self, reported: _Usage | None) -> None:
        """Take over what is reported; what is left out keeps its earlier value."""
        if reported is None:
            return
        for field in _Usage.__struct_fields__:
            value = getattr(reported, field)
            if value is not None:
                setattr(self._reported, field, value)
        self.usage = self._reported.usage()
        self.tier = self._reported.tier
