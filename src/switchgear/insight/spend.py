"""Spend over time: the last hours, on the clock of the reporting time zone."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.insight.buckets import QUARTER
from switchgear.insight.days import from_micros, hour_start
from switchgear.ledger.usage_views import Asked, Cut, UsageFilter
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.sources import UsageLedger

__all__ = ["HourlySpend", "hourly_spend"]

_HOUR: Final = 3600 * MICROS


class HourlySpend(msgspec.Struct, frozen=True, kw_only=True):
    """One hour, as a clock on the wall has it: cost by service, and what the gate refused."""

    start: dt.datetime
    cost_usd: dict[str, Decimal]
    calls: int
    refused: int
    unpriced: int


def hourly_spend(reader: UsageLedger, *, now: int, zone: ZoneInfo, hours: int = 24) -> Sequence[HourlySpend]:
    """Return the last *hours* hours up to *now* (epoch microseconds), the running one last; empty ones too.

    Roll-ups are of 15 minutes, so an hour is whole in zones that are 30 or 45 minutes off as well.

    Raises:
        LedgerError: the ledger can't be read.
    """
    last = hour_start(now, zone)
    starts = [last - _HOUR * back for back in range(hours - 1, -1, -1)]
    cost: dict[int, dict[str, int]] = {start: {} for start in starts}
    counts = {start: [0, 0, 0] for start in starts}
    # Hour by hour: those that are over are remembered.
    pieces = reader.rollup_pieces(Asked(UsageFilter(), ("service",), Cut(size_us=QUARTER)), [*starts, last + _HOUR])
    for start, piece in zip(starts, pieces, strict=True):
        for one in piece.sums:
            service, sums = one.group[0] or "-", one.totals
            cost[start][service] = cost[start].get(service, 0) + sums.cost
            for place, number in enumerate((sums.calls, sums.refused, sums.unpriced)):
                counts[start][place] += number
    return tuple(
        HourlySpend(
            start=from_micros(start),
            cost_usd={service: to_usd(nano) for service, nano in sorted(cost[start].items())},
            calls=counts[start][0],
            refused=counts[start][1],
            unpriced=counts[start][2],
        )
        for start in starts
    )
