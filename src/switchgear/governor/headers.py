"""What request headers say to the gate, and which of them go on to the upstream."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "ANSWER_SIEVES",
    "CREDENTIALS",
    "OURS",
    "STREAMS",
    "Headers",
    "Sieve",
    "first",
    "forwardable",
    "index_of",
    "index_of_answer",
    "sieve_without",
]

Headers = list[tuple[str, str]]

OURS: Final = "x-switchgear-"

_PLAIN_CONNECTION: Final = frozenset({"keep-alive", "close"})
"""Values of ``connection`` that name no header."""

CREDENTIALS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie")
"""Where callers put what proves who they are to one service, and is no other service's business."""

STREAMS: Final = frozenset(
    {"text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json"}
)
"""Content types of answers that come piece by piece."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1: these are about one connection and end with it."""

_REMEMBERED: Final = 1024
"""Header names that are remembered with what is to be done with them: traffic repeats a few for ever."""


class _Lower(dict[str, str]):
    def __missing__(self, name: str) -> str:
        low = name.lower()
        if len(self) < _REMEMBERED:
            self[name] = low
        return low


_lower: Final = _Lower()


class Sieve:
    """Lets headers through but the hop-by-hop ones, ours, and *also* (lower case)."""

    def __init__(self, *also: str) -> None:
        self._drop: Final = _HOP_BY_HOP | set(also)
        self._known: Final[dict[str, bool]] = {}

    def __call__(self, headers: Sequence[tuple[str, str]], index: Mapping[str, str]) -> Headers:
        """Return those of *headers* that go on; *index*: see *index_of*."""
        if "connection" in index and index["connection"].lower() not in _PLAIN_CONNECTION:
            return forwardable(headers, *self._drop)
        known = self._known
        try:
            return [pair for pair in headers if known[pair[0]]]
        except KeyError:
            if len(known) > _REMEMBERED:
                known.clear()
            for name, _ in headers:
                low = name.lower()
                known[name] = low not in self._drop and not low.startswith(OURS)
            return [pair for pair in headers if known[pair[0]]]


ANSWER_SIEVES: Final = {True: Sieve("content-length"), False: Sieve()}
"""What of an answer goes on, by whether it is a stream."""


@functools.lru_cache(maxsize=256)
def sieve_without(*names: str) -> Sieve:
    """Return the sieve that also keeps back *names*; callers ask for few different ones."""
    return Sieve(*names)


def index_of(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the first value of each header by its name in lower case; of ``connection`` all values, as one list."""
    lower = _lower
    index: dict[str, str] = {}
    for name, value in headers:
        low = lower[name]
        if low not in index:
            index[low] = value
        elif low == "connection":
            index[low] += f",{value}"
    return index


class _Telling(dict[str, str]):
    """Names of headers to those in lower case if we read them in answers; ``''``: we don't."""

    def __missing__(self, name: str) -> str:
        low = name.lower()
        read = low if low in _READ or low.startswith(_QUOTAS) else ""
        if len(self) < _REMEMBERED:
            self[name] = read
        return read


_READ: Final = frozenset(
    {"connection", "content-encoding", "content-type", "retry-after", "retry-after-ms", "x-should-retry"}
)
_QUOTAS: Final = ("x-ratelimit-", "anthropic-ratelimit-")
_telling: Final = _Telling()


def index_of_answer(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return *index_of* those of an answer's *headers* that anybody reads."""
    telling = _telling
    return index_of([pair for pair in headers if telling[pair[0]]])


def forwardable(headers: Iterable[tuple[str, str]], *also: str) -> Headers:
    """Return *headers* without hop-by-hop ones, those that Connection names, ours, and *also* (lower case)."""
    kept = list(headers)
    named = {name.strip().lower() for key, value in kept if key.lower() == "connection" for name in value.split(",")}
    drop = _HOP_BY_HOP | named | set(also)
    return [(key, value) for key, value in kept if (low := key.lower()) not in drop and not low.startswith(OURS)]


def first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the value of the first header called *name* (lower case)."""
    return next((value for key, value in headers if key.lower() == name), None)
