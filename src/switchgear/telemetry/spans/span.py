"""A span, before any format."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Attributes", "Kind", "Moment", "Span"]

Kind = Literal["run", "layer", "call", "attempt"]

Attributes = dict[str, str | int | float | bool | list[str]]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened within a span, at epoch microsecond *at*."""

    name: str
    at: int
    attributes: Attributes = {}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time of a trace.

    Attributes:
        kind: a run has layers, a layer has calls, a call has attempts.
        parent: the id of the span above it; None: it is the trace's root.
        start, end: epoch microseconds.
        error: the type of what went wrong; None: nothing did. *message*: in a few words.
        cost: what an attempt cost in nano-USD; None: unknown, or another kind of span.
        wire: it is a request to somebody else, not work of our own.
    """

    kind: Kind
    name: str
    trace_id: str
    span_id: str
    parent: str | None
    start: int
    end: int
    attributes: Attributes
    moments: tuple[Moment, ...] = ()
    error: str | None = None
    message: str | None = None
    cost: int | None = None
    wire: bool = False
