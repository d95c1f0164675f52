"""Which reader an answer gets, by its head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_USAGE
from switchgear.wire.bodies import BodyReader
from switchgear.wire.encodings import decoder_for
from switchgear.wire.streams import CodedStreamReader, StreamReader, UnreadStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.wire.base import Headers, Reader, RequestFacts
    from switchgear.wire.bodies import Said
    from switchgear.wire.streams import Tally

__all__ = ["answer_reader", "header"]

_ERROR: Final = 400
_MAY_BE_BINARY: Final = frozenset({"other", "images", "speech", "transcription"})


def header(headers: Headers, name: str) -> str | None:
    """Return the value of the first header called *name* (lower case)."""
    size = len(name)
    for key, value in headers:
        if len(key) == size and key.lower() == name:
            return value
    return None


def answer_reader(
    facts: RequestFacts,
    *,
    status: int,
    headers: Headers,
    tally: Tally | None,
    interpret: Callable[[bytes], Said | None],
) -> Reader:
    """Return a stream reader for an event stream, with *tally* to read it, else a body reader with *interpret*."""
    decoder = decoder_for(header(headers, "content-encoding"))
    kind = (header(headers, "content-type") or "").lower()
    if status < _ERROR and ("text/event-stream" in kind or (not kind and facts.streamed)):
        if tally is None:
            return UnreadStream(None if facts.billable else NO_USAGE)
        if decoder.encoding == "identity":
            return StreamReader(facts, tally)
        return CodedStreamReader(facts, tally, decoder)
    if facts.surface in _MAY_BE_BINARY and kind and "json" not in kind:
        decoder.lost = True  # audio, images, files: nothing to read, and no need for a copy
    return BodyReader(facts, status, decoder, interpret)
