"""A dialect that keeps what is asked and answered, for whoever has asked for it; bytes pass as they do without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Content
from switchgear.wire.encodings import decoder_for

if TYPE_CHECKING:
    from switchgear.calls import Refusal
    from switchgear.wire.base import Dialect, Headers, Observation, Reader, RequestFacts, WireRefusal

__all__ = ["KeptDialect"]

_MOST: Final = 1 << 20
"""Bytes of a request, and of an answer, that are kept; what is longer is kept to there."""


class KeptDialect:
    """The dialect *inner*, whose readers' observations have the content."""

    def __init__(self, inner: Dialect) -> None:
        self.name = inner.name
        self._inner: Final = inner

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        facts = self._inner.facts(method=method, path=path, content_type=content_type, body=body)
        return msgspec.structs.replace(facts, asked=body[:_MOST]) if facts.is_json else facts

    def outgoing(self, facts: RequestFacts, body: bytes) -> bytes:
        return self._inner.outgoing(facts, body)

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        reader = self._inner.reader(facts, status=status, headers=headers)
        encoding = next((value for name, value in headers if name.lower() == "content-encoding"), None)
        return _KeptReader(reader, facts.asked, encoding) if facts.asked else reader

    def refusal(self, refusal: Refusal) -> WireRefusal:
        return self._inner.refusal(refusal)

    def stop(self, facts: RequestFacts, refusal: Refusal) -> bytes:
        return self._inner.stop(facts, refusal)

    def stall(self, facts: RequestFacts, message: str) -> bytes:
        return self._inner.stall(facts, message)

    def auth_headers(self, key: str, *, url: str) -> tuple[tuple[str, str], ...]:
        return self._inner.auth_headers(key, url=url)


class _KeptReader:
    def __init__(self, inner: Reader, asked: bytes, encoding: str | None) -> None:
        self._inner: Final = inner
        self._asked: Final = asked
        self._decoder: Final = decoder_for(encoding)
        self._answer: Final = bytearray()
        self._follow()

    @property
    def produced(self) -> int:
        return self._inner.produced

    def feed(self, chunk: bytes) -> bytes:
        if len(self._answer) < _MOST:
            self._answer.extend(self._decoder.feed(chunk)[: _MOST - len(self._answer)])
        passed = self._inner.feed(chunk)
        self._follow()
        return passed

    def end(self) -> None:
        self._inner.end()
        self._follow()

    def flush(self) -> bytes:
        return self._inner.flush()

    def observe(self) -> Observation:
        content = Content(asked=self._asked, answered=bytes(self._answer))
        return msgspec.structs.replace(self._inner.observe(), content=content)

    def _follow(self) -> None:
        """Be as far as the reader within."""
        self.started, self.complete, self.heard = self._inner.started, self._inner.complete, self._inner.heard
