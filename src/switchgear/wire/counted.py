"""An HTTP API whose units are counted by rule (*switchgear.wire.unit_rules*)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import NO_USAGE, Usage
from switchgear.wire.base import Observation, RequestFacts
from switchgear.wire.bodies import NOT_BILLED
from switchgear.wire.encodings import decoder_for
from switchgear.wire.generic import GenericDialect
from switchgear.wire.outcomes import verdict_of
from switchgear.wire.readers import header
from switchgear.wire.unit_rules import Source, UnitRule, count_of, decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.wire.base import Headers, Reader

__all__ = ["CountedDialect", "Route"]

_REDIRECT: Final = 300
_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_STREAMS: Final = re.compile(r"event-stream|ndjson|jsonl|stream\+json", re.IGNORECASE)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What calls to some paths of a service count.

    Attributes:
        pattern: ``POST /v2/crawl``, ``GET /v2/crawl/*`` or ``* *``: method and path, ``*`` for anything.
        units: the rule of each unit.
        most: the rule of what a call uses of it at most, known before it is made.
    """

    pattern: str
    units: Mapping[str, UnitRule]
    most: Mapping[str, UnitRule]

    def fits(self, method: str, endpoint: str) -> bool:
        """Return whether a request is one of these."""
        return _pattern(self.pattern).fullmatch(f"{method.upper()} {endpoint}") is not None


class _CountedFacts(RequestFacts, frozen=True, kw_only=True):
    """*rules*: those of each unit, with what the request says already in them as numbers."""

    rules: tuple[tuple[str, UnitRule], ...] = ()


class CountedDialect(GenericDialect):
    """A service of kind ``http`` whose units are counted by the first of *routes* that fits."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: Final = tuple(routes)

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        plain = super().facts(method=method, path=path, content_type=content_type, body=body)
        route = next((route for route in self._routes if route.fits(method, plain.endpoint)), None)
        if route is None or not plain.billable:
            return plain
        every = [*route.units.values(), *route.most.values()]
        asks = any(source.kind == "request" for rule in every for source in rule)
        document = decoded(body) if asks and body else None
        rules = tuple((unit, _settled(route.units[unit], document)) for unit in sorted(route.units))
        bound = {unit: _fixed(rule) for unit, rule in rules}
        bound |= {unit: _fixed(_settled(rule, document)) for unit, rule in route.most.items()}
        return _CountedFacts(
            endpoint=plain.endpoint,
            max_output_given=True,
            is_json=plain.is_json,
            bound=Usage(units=tuple(sorted((unit, most) for unit, most in bound.items() if most))),
            rules=rules,
        )

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        if not isinstance(facts, _CountedFacts):
            return super().reader(facts, status=status, headers=headers)
        return _CountingReader(facts.rules, status, headers)


class _CountingReader:
    """Passes an answer on and counts its units. The newest chunk of what is no stream is held back."""

    def __init__(self, rules: tuple[tuple[str, UnitRule], ...], status: int, headers: Headers) -> None:
        self.started = False
        self.complete = False
        self.produced = 0
        self.heard = 0
        self._rules = rules
        self._status = status
        self._headers = headers
        self._streams = status < _ERROR and _STREAMS.search(header(headers, "content-type") or "") is not None
        self._decoder = decoder_for(header(headers, "content-encoding"))
        if self._streams or not any(source.kind == "json" for _, rule in rules for source in rule):
            self._decoder.lost = True
        self._copy: list[bytes] = []
        self._size = 0
        self._held = b""
        self._flushed = False

    def feed(self, chunk: bytes) -> bytes:
        if self._flushed or not chunk:
            return chunk
        self.started = True
        self.heard += 1
        self._size += len(chunk)
        if plain := self._decoder.feed(chunk):
            self._copy.append(plain)
        if self._streams:
            return chunk
        held, self._held = self._held, chunk
        return held

    def end(self) -> None:
        self.complete = True

    def flush(self) -> bytes:
        self._flushed = True
        held, self._held = self._held, b""
        return held

    def observe(self) -> Observation:
        if self._status >= _ERROR:
            return Observation(
                usage=NOT_BILLED,
                estimated=self._status >= _SERVER_ERROR,
                error=f"http_{self._status}",
                verdict=verdict_of(self._status),
            )
        if self._status >= _REDIRECT:
            return Observation(usage=NOT_BILLED)
        document = None if self._decoder.lost else decoded(b"".join(self._copy))
        counts = [(unit, self._count(rule, document)) for unit, rule in self._rules]
        known = tuple((unit, count) for unit, count in counts if count)
        if any(count is None for _, count in counts):
            return Observation(usage=None, estimated=True)
        return Observation(usage=Usage(units=known) if known else NO_USAGE)

    def _count(self, rule: UnitRule, document: object) -> int | None:
        return next((count for source in rule if (count := self._ask(source, document)) is not None), None)

    def _ask(self, source: Source, document: object) -> int | None:
        if source.kind == "fixed":
            return source.number
        if source.kind == "size":
            return -(-self._size // source.number)
        if source.kind == "header":
            return count_of(header(self._headers, source.name))
        return source.of(document) if source.kind == "json" else None


def _settled(rule: UnitRule, document: object) -> UnitRule:
    """Return *rule* with what the request says in it as a number; behind a number nothing is asked any more."""
    sources: list[Source] = []
    for source in rule:
        found = source.of(document) if source.kind == "request" else source.number
        if source.kind in {"fixed", "request"}:
            if found is not None:
                return (*sources, Source(kind="fixed", number=found))
            continue
        sources.append(source)
    return tuple(sources)


def _fixed(rule: UnitRule) -> int:
    """Return the number of a rule that is nothing but one; of any other 0: it is *most* that bounds it."""
    return rule[0].number if rule and rule[0].kind == "fixed" else 0


@functools.lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*"))
