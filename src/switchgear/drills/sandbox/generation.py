"""The token rule, and the text that a request gets.

The rule is exact, so that a test can say beforehand what a ledger must hold:

- input: one token for each whitespace-separated word of all text in the messages (system prompt and
  instructions included; roles, tools and pictures count nothing);
- output: the smaller of what is wanted (16, or the fault ``output=N``) and the request's own maximum;
- reasoning tokens (fault ``reasoning=N``) are part of the output and have no text; each other output
  token is one word, and in a stream one chunk;
- cached tokens (``cached=N``, ``cache_write=N``) are part of the input.

The same question gets the same answer, byte for byte, streamed or not: text and ids come from a hash of
the request without its ``stream`` settings. No two words of one answer are alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from switchgear.drills.sandbox.faults import Fault

__all__ = ["CREATED", "Event", "Generation", "Reply", "count_words", "generate", "invalid_limit", "sse"]

CREATED: Final = 1_760_000_000
"""The epoch second that every answer bears, so that equal requests get equal bytes."""

_WORDS: Final = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbour",
    "island",
    "jasper",
    "kelp",
    "lagoon",
    "meadow",
    "north",
    "ocean",
    "pebble",
    "quarry",
    "ridge",
    "summit",
    "tundra",
    "umber",
    "valley",
    "willow",
    "yonder",
    "zephyr",
    "brook",
    "canyon",
    "dune",
    "estuary",
    "forest",
    "glacier",
    "heath",
]
_STREAM_SETTINGS: Final = frozenset({"stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream as it goes on the wire, and the output tokens that it brings."""

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer: a body, or the events of a stream.

    Attributes:
        input_tokens: what the answer says was read.
        output_tokens: what a body says was written; a stream says so event by event.
    """

    status: int = 200
    body: bytes = b""
    events: Iterator[Event] | None = field(default=None, repr=False)
    input_tokens: int = 0
    output_tokens: int = 0

    @classmethod
    def json(cls, content: object, *, status: int = 200, input_tokens: int = 0, output_tokens: int = 0) -> Reply:
        """Return *content* as a JSON body."""
        body = json.dumps(content).encode()
        return cls(status=status, body=body, input_tokens=input_tokens, output_tokens=output_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What the model "wrote" for one request, before it takes a provider's shape.

    Attributes:
        words: the visible text, one token each.
        complete: False: the request's own maximum ended the text.
        usage: False: the answer must not speak of usage.
    """

    key: str
    model: str
    input_tokens: int
    cached: int
    cache_write: int
    output_tokens: int
    reasoning: int
    words: tuple[str, ...]
    complete: bool
    usage: bool

    @property
    def text(self) -> str:
        """The words as one text."""
        return "".join(self.words)


def count_words(content: object) -> int:
    """Return the tokens of *content*: a text, a message, a content part, or a list of these."""
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        return sum(count_words(part) for part in content)
    if isinstance(content, Mapping):
        return count_words(content.get("text")) + count_words(content.get("content"))
    return 0


def invalid_limit(limit: object) -> bool:
    """Return whether a request's maximum of output tokens is no positive whole number."""
    return limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1)


def generate(body: Mapping[str, Any], *, input_tokens: int, limit: int | None, dated: str, fault: Fault) -> Generation:
    """Return the answer to *body*.

    Args:
        body: the request; its ``model`` is a text.
        input_tokens: its tokens by the rule.
        limit: its own maximum of output tokens.
        dated: the provider's way to put a date behind a model's name.
        fault: tokens and names otherwise than by default.
    """
    asked = {name: value for name, value in body.items() if name not in _STREAM_SETTINGS}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
    total = fault.output if limit is None else min(fault.output, limit)
    reasoning = min(fault.reasoning, total)
    cached = min(fault.cached, input_tokens)
    model = str(body["model"])
    if fault.dated_model is not None:
        model = fault.dated_model or model + dated
    return Generation(
        key=digest.hex()[:24],
        model=model,
        input_tokens=input_tokens,
        cached=cached,
        cache_write=min(fault.cache_write, input_tokens - cached),
        output_tokens=total,
        reasoning=reasoning,
        words=tuple(_word(number, start=digest[0]) for number in range(total - reasoning)),
        complete=total == fault.output,
        usage=fault.usage,
    )


def _word(number: int, *, start: int) -> str:
    word = _WORDS[(start + number) % len(_WORDS)]
    turn = number // len(_WORDS)
    return f"{' ' if number else ''}{word}{turn or ''}"


def sse(data: object, *, name: str | None = None) -> bytes:
    """Return *data* as one server-sent event."""
    event = f"event: {name}\n" if name else ""
    return f"{event}data: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
