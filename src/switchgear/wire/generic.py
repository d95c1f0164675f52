"""Any other HTTP API: nothing is read but whether it worked; what it uses, the caller states."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import NO_USAGE
from switchgear.wire.base import RequestFacts
from switchgear.wire.bodies import BodyReader
from switchgear.wire.encodings import decoder_for
from switchgear.wire.fields import UNREADABLE
from switchgear.wire.readers import header
from switchgear.wire.refusals import REFUSAL_STATUS, wire_refusal
from switchgear.wire.streams import UnreadStream

if TYPE_CHECKING:
    from switchgear.calls import Reason, Refusal
    from switchgear.wire.base import Headers, Reader, WireRefusal

__all__ = ["FREE_METHODS", "GenericDialect", "endpoint_of"]

FREE_METHODS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods that LLM providers bill for nothing. Other APIs may bill for a GET."""

_ERROR: Final = 400
_STREAMS: Final = re.compile(r"event-stream|ndjson|jsonl|stream\+json", re.IGNORECASE)

_TITLES: Final[dict[Reason, str]] = {
    "rate_limit": "Rate limit reached",
    "breaker": "Service unavailable",
    "budget": "Budget exceeded",
    "skip": "Skipped by budget",
    "unpriced": "No price known",
}


class GenericDialect:
    """Services of kind ``http``. Refusals are problem documents (RFC 9457)."""

    name = "http"

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        return RequestFacts(
            endpoint=endpoint_of(path),
            max_output_given=True,
            billable=method.upper() not in {"HEAD", "OPTIONS"},
            is_json="json" in (content_type or "json") and _is_json(body),
        )

    def outgoing(self, facts: RequestFacts, body: bytes) -> bytes:  # noqa: ARG002 - the protocol's signature
        return body

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        if status < _ERROR and _STREAMS.search(header(headers, "content-type") or ""):
            return UnreadStream(NO_USAGE)
        return BodyReader(facts, status, decoder_for(header(headers, "content-encoding")), None)

    def refusal(self, refusal: Refusal) -> WireRefusal:
        body: dict[str, object] = {
            "type": "about:blank",
            "title": _TITLES[refusal.reason],
            "status": REFUSAL_STATUS[refusal.reason],
            "detail": refusal.message,
        }
        return wire_refusal(refusal, body, "application/problem+json")

    def stop(self, facts: RequestFacts, refusal: Refusal) -> bytes:  # noqa: ARG002 - the protocol's signature
        return b""  # no stream of an unknown format is read, so none is stopped

    def stall(self, facts: RequestFacts, message: str) -> bytes:  # noqa: ARG002 - the protocol's signature
        return b""  # nobody knows what an error looks like in it: it breaks off

    def auth_headers(self, key: str, *, url: str) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the protocol's signature
        return (("authorization", f"Bearer {key}"),)


def endpoint_of(path: str) -> str:
    """Return *path* without its query."""
    return path.partition("?")[0]


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except UNREADABLE:
        return False
    return True
