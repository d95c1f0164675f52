"""The strip of a service as geometry in per cent: how its calls went, and what its breaker was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from switchgear.insight.episodes import Stretch
from switchgear.insight.strips import Slot
from switchgear.web.words import BREAKER_WORDS, Badge

__all__ = ["Band", "Cell", "Strip", "service_strip"]

_LEAST: Final = 12.0
"""A share that is not nothing is drawn at least so high."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of time with calls in it; heights in per cent, from the bottom: failed below, then what went well."""

    slot: Slot
    x: float
    failed: float
    rest: float


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """What the breaker was for a time, in per cent."""

    of: Stretch
    badge: Badge
    x: float
    width: float


class Strip(msgspec.Struct, frozen=True, kw_only=True):
    """Columns of *bar* per cent each, and the sums over all of them."""

    cells: tuple[Cell, ...]
    bar: float
    bands: tuple[Band, ...]
    start: int
    end: int
    calls: int
    failed: int
    refused: int


def service_strip(slots: Sequence[Slot], *, each: int = 1, stretches: Sequence[Stretch] = ()) -> Strip:
    """Return the strip of *slots*, *each* of them to a column, with the *stretches* of the breaker."""
    columns = [_joined(slots[place : place + each]) for place in range(0, len(slots), each)]
    width = 100 / len(columns)
    start, end = columns[0].start, columns[-1].start + columns[-1].length_us
    return Strip(
        cells=tuple(_cell(slot, place * width) for place, slot in enumerate(columns) if slot.calls),
        bar=round(width * 0.84, 3),
        bands=tuple(_band(stretch, start, end) for stretch in stretches),
        start=start,
        end=end,
        calls=sum(slot.calls for slot in columns),
        failed=sum(slot.failed for slot in columns),
        refused=sum(slot.refused for slot in columns),
    )


def _joined(slots: Sequence[Slot]) -> Slot:
    sums = {name: sum(getattr(slot, name) for slot in slots) for name in ("calls", "ok", "failed", "refused")}
    return Slot(start=slots[0].start, length_us=sum(slot.length_us for slot in slots), **sums)


def _cell(slot: Slot, x: float) -> Cell:
    answered = slot.calls - slot.refused
    share = slot.failed / answered if answered else 0.0
    failed = max(_LEAST, 100 * share) if slot.failed else 0.0
    return Cell(slot=slot, x=round(x, 3), failed=round(failed, 1), rest=round(100 - failed, 1) if answered else 0.0)


def _band(stretch: Stretch, start: int, end: int) -> Band:
    length = end - start
    x = 100 * (stretch.start - start) / length
    width = 100 * (stretch.end - stretch.start) / length
    return Band(of=stretch, badge=BREAKER_WORDS[stretch.state], x=round(x, 3), width=round(max(width, 0.4), 3))
