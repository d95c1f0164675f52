"""The usage page's chart as geometry in per cent: stacked columns from zero, and the line of their average."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from switchgear.insight.usage_series import Column, UsageSeries
from switchgear.web.charts import nice_top

__all__ = ["Mark", "UsageBar", "UsageChart", "UsageColumn", "usage_chart"]

_GAP: Final = Decimal("0.18")
_LEAST_HEIGHT: Final = Decimal("0.8")
_TICKS: Final = 6
_ALL: Final = Decimal(100)


class UsageBar(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a column: *y* and *height* in per cent from the top."""

    slot: int
    y: Decimal
    height: Decimal
    value: Decimal


class UsageColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket."""

    of: Column
    x: Decimal
    width: Decimal
    bars: tuple[UsageBar, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened: at *at* epoch microseconds, *x* per cent from the left."""

    at: int
    x: float
    kind: str
    text: str


class UsageChart(msgspec.Struct, frozen=True, kw_only=True):
    """Columns over an axis from 0 to *top*; *average* is the points of each piece of the line."""

    columns: tuple[UsageColumn, ...]
    ticks: tuple[UsageColumn, ...]
    top: Decimal
    average: tuple[str, ...]
    slots: dict[int, str | None]


def usage_chart(series: UsageSeries) -> UsageChart:
    """Return the chart of *series*."""
    width = _ALL / max(1, len(series.columns))
    top = nice_top(max((column.total for column in series.columns), default=Decimal(0)))
    order = [*sorted(slot for slot in series.slots if slot), *([0] if 0 in series.slots else [])]
    columns = tuple(
        UsageColumn(
            of=column,
            x=round(width * (place + _GAP / 2), 3),
            width=round(width * (1 - _GAP), 3),
            bars=_bars(column, order, top),
        )
        for place, column in enumerate(series.columns)
    )
    step = -(-len(columns) // _TICKS) if columns else 1
    return UsageChart(
        columns=columns,
        ticks=columns[::step],
        top=top,
        average=_lines(series.columns, width, top),
        slots={slot: series.slots[slot] for slot in order},
    )


def _bars(column: Column, order: list[int], top: Decimal) -> tuple[UsageBar, ...]:
    bars = []
    y = _ALL
    for slot in order:
        value = column.values.get(slot, Decimal(0))
        if value > 0:
            height = max(value / top * 100, _LEAST_HEIGHT)
            y = max(Decimal(0), y - height)
            bars.append(UsageBar(slot=slot, y=round(y, 3), height=round(height, 3), value=value))
    return tuple(bars)


def _lines(columns: tuple[Column, ...], width: Decimal, top: Decimal) -> tuple[str, ...]:
    pieces: list[list[str]] = [[]]
    for place, column in enumerate(columns):
        if column.average is None:
            if pieces[-1]:
                pieces.append([])
            continue
        x, y = width * (place + Decimal("0.5")), _ALL - column.average / top * 100
        pieces[-1].append(f"{x:.3f},{y:.3f}")
    return tuple(" ".join(piece) for piece in pieces if len(piece) > 1)
