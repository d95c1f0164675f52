"""The usage objects of OpenAI and of those who speak like it, in our words.

What they add or do otherwise, each by its own documentation:

- OpenRouter and xAI say what the call cost (``cost`` in USD, ``cost_in_usd_ticks``);
- xAI leaves reasoning out of the completion tokens, but not out of the total;
- DeepSeek names what it read from its cache ``prompt_cache_hit_tokens``, Moonshot ``cached_tokens``;
- transcriptions say ``input_token_details`` in the singular, or count seconds;
- llama.cpp has its own ``timings``, where nobody asked for usage.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from switchgear.calls import Usage
from switchgear.wire.fields import Number, whole

__all__ = ["Counts", "Timings"]

_NANO: Final = 1_000_000_000
_TICKS_PER_NANO: Final = 10
_MOST_NANO: Final = 1 << 53
_NOTHING: Final = (None,) * 5


class _Cached(msgspec.Struct):
    audio_tokens: Number = None
    image_tokens: Number = None


class _Into(msgspec.Struct):
    cached_tokens: Number = None
    cache_write_tokens: Number = None
    audio_tokens: Number = None
    image_tokens: Number = None
    video_tokens: Number = None
    cached_tokens_details: _Cached | None = None


class _Out(msgspec.Struct):
    reasoning_tokens: Number = None
    audio_tokens: Number = None
    image_tokens: Number = None


class _Bill(msgspec.Struct):
    """What the upstream of a router costs on the caller's own key, or a cost that is told in parts."""

    upstream_inference_cost: Number = None
    total_cost: Number = None


class _ServerTools(msgspec.Struct):
    web_search_requests: Number = None
    web_search_calls: Number = None


class Counts(msgspec.Struct):
    """Chat, completions and embeddings call the counts prompt and completion, responses and images input and output."""

    prompt_tokens: Number = None
    completion_tokens: Number = None
    prompt_tokens_details: _Into | None = None
    completion_tokens_details: _Out | None = None
    input_tokens: Number = None
    output_tokens: Number = None
    input_tokens_details: _Into | None = None
    input_token_details: _Into | None = None
    output_tokens_details: _Out | None = None
    total_tokens: Number = None
    prompt_cache_hit_tokens: Number = None
    cached_tokens: Number = None
    seconds: Number = None
    server_tool_use: _ServerTools | None = None
    server_side_tool_usage_details: _ServerTools | None = None
    cost: Number | _Bill = None
    cost_details: _Bill | None = None
    is_byok: bool | None = None
    cost_in_usd_ticks: Number = None

    def usage(self) -> Usage | None:
        """Return the usage in our words; None: it has none of the counts that we know."""
        given = (self.prompt_tokens, self.completion_tokens, self.input_tokens, self.output_tokens, self.seconds)
        if given == _NOTHING:
            return None
        into = self.prompt_tokens_details or self.input_tokens_details or self.input_token_details
        out = self.completion_tokens_details or self.output_tokens_details
        tokens_in = whole(self.prompt_tokens) or whole(self.input_tokens)
        tokens_out = whole(self.completion_tokens) or whole(self.output_tokens)
        read = 0 if into is None else whole(into.cached_tokens)
        return Usage(
            input_tokens=tokens_in,
            # Some providers leave reasoning out of the completion tokens, but never out of the total.
            output_tokens=max(tokens_out, whole(self.total_tokens) - tokens_in),
            cache_read_tokens=read or whole(self.prompt_cache_hit_tokens) or whole(self.cached_tokens),
            cache_write_tokens=0 if into is None else whole(into.cache_write_tokens),
            reasoning_tokens=0 if out is None else whole(out.reasoning_tokens),
            units=self._units(into, out),
        )

    def _units(self, into: _Into | None, out: _Out | None) -> tuple[tuple[str, int], ...]:
        units: list[tuple[str, int]] = []
        if self.seconds is not None:
            units.append(("audio_seconds", whole(self.seconds)))
        if into is not None:
            if (cached := into.cached_tokens_details) is not None:
                units.append(("cache_audio_read_tokens", whole(cached.audio_tokens)))
                units.append(("cache_image_read_tokens", whole(cached.image_tokens)))
            units.append(("input_audio_tokens", whole(into.audio_tokens)))
            units.append(("input_image_tokens", whole(into.image_tokens)))
            units.append(("input_video_tokens", whole(into.video_tokens)))
        if out is not None:
            units.append(("output_audio_tokens", whole(out.audio_tokens)))
            units.append(("output_image_tokens", whole(out.image_tokens)))
        tools = self.server_tool_use or self.server_side_tool_usage_details
        if tools is not None:
            units.append(("web_searches", whole(tools.web_search_requests) or whole(tools.web_search_calls)))
        return tuple([unit for unit in units if unit[1]])

    @property
    def billed(self) -> int | None:
        """What the provider says that it bills, in nano-USD; None: it does not say."""
        if self.cost_in_usd_ticks is not None:
            return -(-whole(self.cost_in_usd_ticks) // _TICKS_PER_NANO)
        cost = self.cost.total_cost if isinstance(self.cost, _Bill) else self.cost
        if cost is None:
            return None
        if self.is_byok:
            upstream = None if self.cost_details is None else self.cost_details.upstream_inference_cost
            if upstream is None:
                return None  # its own fee is not the whole
            cost += upstream
        return _nano(cost)


class Timings(msgspec.Struct):
    """llama.cpp: tokens read this time, found in its cache, and written."""

    prompt_n: Number = None
    cache_n: Number = None
    predicted_n: Number = None

    def usage(self) -> Usage | None:
        """Return the usage in our words; None: it has no counts."""
        if self.prompt_n is None or self.predicted_n is None:
            return None
        cached = whole(self.cache_n)
        return Usage(
            input_tokens=whole(self.prompt_n) + cached,
            output_tokens=whole(self.predicted_n),
            cache_read_tokens=cached,
        )


def _nano(usd: float) -> int | None:
    """Return *usd* to the nearest nano-USD: a float holds that exactly up to 4 million USD."""
    if not math.isfinite(usd) or usd < 0 or usd * _NANO > _MOST_NANO:
        return None
    return round(usd * _NANO)
