"""What became of what was to be exported."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["DestinationCounts", "ExportCounts"]


class DestinationCounts(msgspec.Struct, frozen=True, kw_only=True):
    """One destination since the start of the process.

    Attributes:
        exported: spans that it took; *dropped*: those that found its queue full; *failed*: those that it did
            not take, however often they were sent. *waiting*: those in its queue now.
        problem: why it does not take them now; None: it does, or nothing was sent yet.
    """

    name: str
    signal: Literal["traces", "metrics"] = "traces"
    url: str
    exported: int = 0
    dropped: int = 0
    failed: int = 0
    waiting: int = 0
    problem: str | None = None


class ExportCounts(msgspec.Struct, frozen=True, kw_only=True):
    """All of them.

    Attributes:
        dropped: events that never became spans, because too many waited for the exporting process.
        left_out: spans of traces that sampling left out.
        problem: why nothing is exported at all; None: it is.
    """

    dropped: int = 0
    left_out: int = 0
    problem: str | None = None
    destinations: tuple[DestinationCounts, ...] = ()
