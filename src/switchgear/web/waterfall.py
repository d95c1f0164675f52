"""A trace as bars in per cent of its time: wait, then work, one lane a call, each attempt a piece of it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from switchgear.calls import CallStatus
from switchgear.insight.trace import Trace, TraceAttempt, TraceCall, TraceLayer

__all__ = ["Lane", "Piece", "Stretch", "lanes", "stretches"]

_LEAST: Final = 0.7
"""Per cent that are two pixels on a phone."""

Tone = Literal["ok", "warn", "crit", "probe", "idle"]
_TONES: Final[dict[CallStatus, Tone]] = {
    "ok": "ok",
    "failed": "crit",
    "refused": "warn",
    "cancelled": "idle",
    "orphaned": "warn",
    "reserved": "probe",
}


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: the wait from *x*, *wait* wide, then the work from *work_x*, *work* wide; None: it never left."""

    of: TraceAttempt
    tone: Tone
    x: float
    wait: float
    work_x: float
    work: float | None


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    of: TraceCall
    pieces: tuple[Piece, ...]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A layer from *x*, *width* wide, with the lanes of its calls; *of* None: calls of no layer."""

    of: TraceLayer | None
    x: float = 0.0
    width: float = 0.0
    lanes: tuple[Lane, ...]


def stretches(trace: Trace) -> tuple[Stretch, ...]:
    """Return the layers of *trace* with their lanes, by when they began; then the lanes of no layer."""
    whole = trace.duration_ms or 1.0
    made = lanes(trace)
    found = []
    for layer in trace.layers:
        width = max(layer.took_ms / whole * 100, _LEAST)
        x = max(min(layer.start_ms / whole * 100, 100 - width), 0.0)
        mine = tuple(lane for lane in made if (lane.of.run or "", lane.of.layer) == (layer.run, layer.layer))
        found.append(Stretch(of=layer, x=round(x, 3), width=round(width, 3), lanes=mine))
    rest = tuple(lane for lane in made if lane.of.layer is None)
    return (*found, Stretch(of=None, lanes=rest)) if rest else tuple(found)


def lanes(trace: Trace) -> tuple[Lane, ...]:
    """Return the lanes of *trace*, in its order."""
    whole = trace.duration_ms or 1.0
    return tuple(
        Lane(of=call, pieces=tuple(_piece(attempt, whole) for attempt in call.attempts)) for call in trace.items
    )


def _piece(attempt: TraceAttempt, whole: float) -> Piece:
    work_at = attempt.start_ms + attempt.waited_ms
    took = attempt.took_ms if attempt.took_ms is not None else whole - work_at
    width = max(took / whole * 100, _LEAST)
    # A bar at the very end is widened to the left, so that it is seen.
    work_x = min(work_at / whole * 100, 100 - width)
    return Piece(
        of=attempt,
        tone=_TONES[attempt.status],
        x=round(attempt.start_ms / whole * 100, 3),
        wait=round(attempt.waited_ms / whole * 100, 3),
        work_x=round(max(work_x, 0.0), 3),
        work=None if attempt.status == "refused" else round(width, 3),
    )
