"""Where time and money of calls go, by layer and model: waiting at the gate, the provider, or trying again."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.ledger.views import CallRow
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.insight.sources import CallLedger
    from switchgear.ledger.views import CallFilter

__all__ = ["MOST", "Profile", "ProfileShare", "profile_of", "read_profile"]

MOST: Final = 5000
"""Attempts that are looked at: the newest of those that are asked for."""

_PAGE: Final = 500


class ProfileShare(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one layer and model; null: not said, or of the sums of all.

    Attributes:
        calls: calls that are over; *attempts*: those of them that went out.
        refused, failed: calls that ended so.
        cost_usd: of attempts whose cost is known; *unpriced* ones are not in it.
        time_ms: from coming to the gate to the end of the last attempt, all calls together.
        p50_ms, p95_ms: what half, and 95 %, of the calls took at most, all attempts and waits included.
        waiting_percent: the share of *time_ms* at the gate; *retrying_percent*: in attempts that were made again, and
            in the pauses before that. The rest is the last attempt.
    """

    layer: str | None
    model: str | None
    calls: int
    attempts: int
    refused: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unpriced: int
    time_ms: float
    p50_ms: float
    p95_ms: float
    waiting_percent: float
    retrying_percent: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What took the time and the money, the most expensive first.

    Attributes:
        complete: false: there are more attempts than are looked at, and these are the newest.
    """

    complete: bool
    total: ProfileShare
    items: tuple[ProfileShare, ...]


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    rows: tuple[CallRow, ...]
    time: int
    waiting: int
    retrying: int


def read_profile(reader: CallLedger, where: CallFilter) -> Profile:
    """Return the profile of the calls *where*.

    Raises:
        LedgerError: the ledger can't be read.
    """
    rows: list[CallRow] = []
    after: str | None = None
    while len(rows) < MOST:
        page = reader.calls(where, limit=_PAGE, after=after)
        rows += page.items
        after = page.next
        if after is None:
            break
    return profile_of(rows, complete=after is None)


def profile_of(rows: Iterable[CallRow], *, complete: bool = True) -> Profile:
    """Return the profile of *rows*, in any order; calls that are under way are not in it."""
    by_call = sorted(rows, key=lambda row: (row.call_id, row.attempt))
    groups = [tuple(group) for _, group in groupby(by_call, key=lambda row: row.call_id)]
    calls = [_measured(group) for group in groups if all(row.status != "reserved" for row in group)]
    shares: defaultdict[tuple[str | None, str | None], list[_Call]] = defaultdict(list)
    for call in calls:
        shares[call.rows[-1].layer, call.rows[-1].model].append(call)
    items = [_share(layer, model, some) for (layer, model), some in shares.items()]
    items.sort(key=lambda item: (-item.cost_usd, -item.time_ms, item.layer or "", item.model or ""))
    return Profile(complete=complete, total=_share(None, None, calls), items=tuple(items))


def _measured(rows: tuple[CallRow, ...]) -> _Call:
    begun = min(row.started_at - row.waited_us for row in rows)
    ended = max(row.started_at + _took(row) for row in rows)
    time = max(0, ended - begun)
    waiting = min(sum(row.waited_us for row in rows), time)
    return _Call(rows=rows, time=time, waiting=waiting, retrying=max(0, time - waiting - _took(rows[-1])))


def _took(row: CallRow) -> int:
    return 0 if row.status == "refused" else row.duration_us or 0


def _share(layer: str | None, model: str | None, calls: Sequence[_Call]) -> ProfileShare:
    out = [row for call in calls for row in call.rows if row.status != "refused"]
    times = sorted(call.time for call in calls)
    time = sum(times)
    return ProfileShare(
        layer=layer,
        model=model,
        calls=len(calls),
        attempts=len(out),
        refused=sum(call.rows[-1].status == "refused" for call in calls),
        failed=sum(call.rows[-1].status in {"failed", "orphaned"} for call in calls),
        input_tokens=sum(row.input_tokens for row in out),
        output_tokens=sum(row.output_tokens for row in out),
        cost_usd=to_usd(sum(row.cost or 0 for row in out)),
        unpriced=sum(row.cost is None for row in out),
        time_ms=time / 1000,
        p50_ms=_within(times, 0.5),
        p95_ms=_within(times, 0.95),
        waiting_percent=_percent(sum(call.waiting for call in calls), time),
        retrying_percent=_percent(sum(call.retrying for call in calls), time),
    )


def _within(times: Sequence[int], share: float) -> float:
    return times[max(0, math.ceil(share * len(times)) - 1)] / 1000 if times else 0.0


def _percent(part: int, whole: int) -> float:
    return round(part / whole * 100, 1) if whole else 0.0
