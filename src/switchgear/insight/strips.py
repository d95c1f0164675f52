"""How the calls of each service went, quarter of an hour by quarter of an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.buckets import QUARTER
from switchgear.ledger.usage_views import Asked, Cut, UsageFilter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.insight.sources import UsageLedger

__all__ = ["HOURS", "Slot", "service_strips", "strip_of"]

HOURS: Final = 24
_HOUR: Final = 4 * QUARTER


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts of one service that began within *length_us* from *start* (epoch microseconds) on and are over."""

    start: int
    length_us: int = QUARTER
    calls: int = 0
    ok: int = 0
    failed: int = 0
    refused: int = 0


def service_strips(reader: UsageLedger, *, now: int) -> Mapping[str | None, Sequence[Slot]]:
    """Return the last 24 hours of each service that had any call in them, up to the running quarter; empty ones too.

    Raises:
        LedgerError: the ledger can't be read.
    """
    until = now + -now % QUARTER
    since = until - HOURS * _HOUR
    # Hour by hour: those that are over are remembered.
    edges = [since, *range(since - since % _HOUR + _HOUR, until, _HOUR), until]
    pieces = reader.rollup_pieces(Asked(UsageFilter(), ("service",), Cut(size_us=QUARTER)), edges)
    found: dict[str | None, list[Slot]] = {}
    for piece in pieces:
        for one in piece.sums:
            slots = found.setdefault(one.group[0], list(strip_of(since, until)))
            sums = one.totals
            place = ((one.at or since) - since) // QUARTER
            slots[place] = Slot(
                start=slots[place].start, calls=sums.calls, ok=sums.ok, failed=sums.failed, refused=sums.refused
            )
    return found


def strip_of(since: int, until: int) -> Sequence[Slot]:
    """Return the slots of a service without calls."""
    return [Slot(start=start) for start in range(since, until, QUARTER)]
