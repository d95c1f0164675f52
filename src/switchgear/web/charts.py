"""Charts as geometry in per cent: the templates draw it, without script and without style attributes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Final

import msgspec

from switchgear.insight.spend import HourlySpend

__all__ = ["Bar", "Column", "Series", "SpendChart", "nice_top", "spend_chart"]

_SLOTS: Final = 5
_OTHER: Final = "other"
_GAP: Final = Decimal("0.18")
_LEAST_HEIGHT: Final = Decimal("1.2")
_NICE: Final = tuple(Decimal(step) for step in (1, 2, 3, 4, 5, 6, 8, 10))


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a column: *y* and *height* in per cent from the top, *slot* 0 is "other"."""

    slot: int
    y: Decimal
    height: Decimal
    name: str
    cost_usd: Decimal


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One hour."""

    start: dt.datetime
    x: Decimal
    width: Decimal
    bars: tuple[Bar, ...]
    calls: int
    refused: int
    unpriced: int
    cost_usd: Decimal


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One colour of the legend, with its sum."""

    slot: int
    name: str
    cost_usd: Decimal


class SpendChart(msgspec.Struct, frozen=True, kw_only=True):
    """Stacked columns over an axis from 0 to *top_usd*."""

    columns: tuple[Column, ...]
    series: tuple[Series, ...]
    top_usd: Decimal
    cost_usd: Decimal
    refused: int


def spend_chart(hours: Sequence[HourlySpend], services: Sequence[str]) -> SpendChart:
    """Return the chart of *hours*.

    A service keeps its place (colour and hatch) by its order in *services*, whatever it spent; from
    the sixth on, and for services that are not configured any more, it is "other".
    """
    slots = {name: place + 1 for place, name in enumerate(services[:_SLOTS])}
    stacks = [_stack(hour, slots) for hour in hours]
    top = nice_top(max((sum(stack.values(), Decimal(0)) for stack in stacks), default=Decimal(0)))
    width = Decimal(100) / max(1, len(hours))
    names = {slot: name for name, slot in slots.items()} | {0: _OTHER}
    sums = {slot: sum((stack.get(slot, Decimal(0)) for stack in stacks), Decimal(0)) for slot in names}
    return SpendChart(
        columns=tuple(
            Column(
                start=hour.start,
                x=round(width * (place + _GAP / 2), 3),
                width=round(width * (1 - _GAP), 3),
                bars=_bars(stack, names, top),
                calls=hour.calls,
                refused=hour.refused,
                unpriced=hour.unpriced,
                cost_usd=sum(stack.values(), Decimal(0)),
            )
            for place, (hour, stack) in enumerate(zip(hours, stacks, strict=True))
        ),
        series=tuple(
            Series(slot=slot, name=names[slot], cost_usd=sums[slot])
            for slot in [*range(1, _SLOTS + 1), 0]
            if slot in names and (slot or sums[0])
        ),
        top_usd=top,
        cost_usd=sum(sums.values(), Decimal(0)),
        refused=sum(hour.refused for hour in hours),
    )


def _stack(hour: HourlySpend, slots: dict[str, int]) -> dict[int, Decimal]:
    stack: dict[int, Decimal] = {}
    for service, cost in hour.cost_usd.items():
        slot = slots.get(service, 0)
        stack[slot] = stack.get(slot, Decimal(0)) + cost
    return stack


def _bars(stack: dict[int, Decimal], names: dict[int, str], top: Decimal) -> tuple[Bar, ...]:
    bars = []
    y = Decimal(100)
    for slot in [*range(1, _SLOTS + 1), 0]:
        cost = stack.get(slot, Decimal(0))
        if cost > 0:
            height = max(cost / top * 100, _LEAST_HEIGHT)
            y = max(Decimal(0), y - height)
            bars.append(Bar(slot=slot, y=round(y, 3), height=round(height, 3), name=names[slot], cost_usd=cost))
    return tuple(bars)


def nice_top(most: Decimal) -> Decimal:
    """Return the least of 1, 2, 3, 4, 5, 6, 8 times a power of ten that is not below *most*."""
    if most <= 0:
        return Decimal(1)
    power = Decimal(10) ** most.adjusted()
    scaled = (most / power).quantize(Decimal("0.000001"), rounding=ROUND_CEILING)
    return next(nice for nice in _NICE if nice >= scaled) * power
