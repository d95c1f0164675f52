"""Which reader an answer gets, by its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.calls import NO_USAGE
from switchgear.wire.bodies import BodyReader
from switchgear.wire.encodings import decoder_for
from switchgear.wire.streams import CodedStreamReader, StreamReader, UnreadStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.wire.base import Reader, RequestFacts
    from switchgear.wire.bodies import Said
    from switchgear.wire.streams import Tally

__all__ = ["answer_reader"]

_ERROR = 400


def answer_reader(
    facts: RequestFacts,
    *,
    status: int,
    content_type: str | None,
    content_encoding: str | None,
    tally: Tally | None,
    interpret: Callable[[bytes], Said | None],
) -> Reader:
    """Return a stream reader for an event stream, with *tally* to read it, else a body reader with *interpret*."""
    decoder = decoder_for(content_encoding)
    kind = (content_type or "").lower()
    if status < _ERROR and ("text/event-stream" in kind or (not kind and facts.streamed)):
        if tally is None:
            return UnreadStream(None if facts.billable else NO_USAGE)
        if decoder.encoding == "identity":
            return StreamReader(facts, tally)
        return CodedStreamReader(facts, tally, decoder)
    if facts.surface == "other" and kind and "json" not in kind:
        decoder.lost = True  # audio, images, files: nothing to read, and no need for a copy
    return BodyReader(facts, status, decoder, interpret)
