from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from switchgear.insight.days import to_micros
from switchgear.insight.spend import hourly_spend
from switchgear.ledger.usage_views import UsageSum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.insight.conftest import Make

    from switchgear.ledger.usage_views import Asked
    from switchgear.ledger.views import Totals

QUARTER = 15 * 60 * 1_000_000


class _Piece(NamedTuple):
    sums: list[UsageSum]


class _Pieces:
    """Gives each row to the piece that it lies in."""

    def __init__(self, *rows: Totals) -> None:
        self.rows = rows

    def rollup_pieces(self, asked: Asked, edges: Sequence[int]) -> list[_Piece]:
        assert asked.by == ("service",)
        return [
            _Piece([UsageSum(row.bucket, ("openai",), row) for row in self.rows if start <= (row.bucket or 0) < end])
            for start, end in itertools.pairwise(edges)
        ]


def _at(text: str) -> int:
    return to_micros(dt.datetime.fromisoformat(text))


def test_hours_are_those_of_the_local_clock(make: type[Make]) -> None:
    """In Kathmandu (+05:45) an hour begins at a quarter past in UTC, and quarters are not torn."""
    before = make.totals(_at("2026-11-24T12:00:00+00:00"), cost=1_000_000_000, calls=1)
    after = make.totals(_at("2026-11-24T12:15:00+00:00"), cost=2_000_000_000, calls=2, refused=1)
    ledger: Any = _Pieces(before, after)

    hours = hourly_spend(ledger, now=_at("2026-11-24T12:30:00+00:00"), zone=ZoneInfo("Asia/Kathmandu"), hours=2)

    assert [hour.cost_usd for hour in hours] == [{"openai": Decimal(1)}, {"openai": Decimal(2)}]
    assert [(hour.calls, hour.refused) for hour in hours] == [(1, 0), (2, 1)]


def test_every_hour_is_there() -> None:
    """Hours without calls are zero, not missing."""
    ledger: Any = _Pieces()
    hours = hourly_spend(ledger, now=_at("2026-11-24T12:30:00+00:00"), zone=ZoneInfo("UTC"))

    assert len(hours) == 24
    assert hours[-1].start == dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    assert all(hour.cost_usd == {} for hour in hours)
