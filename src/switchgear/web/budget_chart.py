"""A budget's chart as geometry in per cent: what was used against the limit, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from switchgear.insight.budget_story import Line, Point
from switchgear.web.charts import nice_top

__all__ = ["BudgetChart", "budget_chart"]

_MOST: Final = 240


class BudgetChart(msgspec.Struct, frozen=True, kw_only=True):
    """Lines as SVG points in a box of 100 by 100; *band* is a closed shape; empty: not there.

    Attributes:
        top: the amount at the upper edge, in nano-USD or tokens.
        limit_y: where the limit lies.
        now_x: where now lies.
    """

    used: str
    expected: str
    band: str
    top: int
    limit_y: float
    now_x: float
    thresholds: tuple[tuple[float, float], ...]


def budget_chart(line: Line, *, start: int, end: int, limit: int, thresholds: Sequence[float]) -> BudgetChart:
    """Return the chart of *line* over the period from *start* to *end*."""
    most = max([limit, *(point.used for points in (line.used, line.expected, line.high) for point in points)])
    top = int(nice_top(Decimal(most)))

    def place(points: Sequence[Point]) -> list[str]:
        step = max(1, len(points) // _MOST)
        kept = [*points[:-1:step], *points[-1:]]
        return [f"{_share(point.at - start, end - start):.2f},{100 - _share(point.used, top):.2f}" for point in kept]

    return BudgetChart(
        used=" ".join(place(line.used)),
        expected=" ".join(place(line.expected)),
        band=" ".join([*place(line.high), *reversed(place(line.low))]) if line.low else "",
        top=top,
        limit_y=round(100 - _share(limit, top), 2),
        now_x=round(_share(line.used[-1].at - start, end - start), 2),
        thresholds=tuple((each, round(100 - _share(round(limit * each), top), 2)) for each in thresholds if each < 1),
    )


def _share(part: int, whole: int) -> float:
    return min(100.0, max(0.0, part * 100 / whole)) if whole else 0.0
