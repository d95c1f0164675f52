"""A call as everybody outside sees it: the rows of ``/api/calls`` and of ``switchgear calls``."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec

from switchgear.calls import CallStatus, Reason
from switchgear.insight.days import from_micros
from switchgear.insight.rule_item import RuleItem
from switchgear.insight.story import story_of
from switchgear.ledger.views import CallPage, CallRow
from switchgear.money import to_usd

__all__ = ["CallDetail", "CallItem", "CallList"]


class CallItem(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. *cost_usd* null: unpriced, refused, or not settled yet."""

    id: str
    call_id: str
    attempt: int
    started_at: dt.datetime
    service: str
    endpoint: str
    model: str | None
    job: str | None
    run: str | None
    layer: str | None
    key: str | None
    tags: dict[str, str]
    status: CallStatus
    refused_by: Reason | None
    http_status: int | None
    error: str | None
    streamed: bool
    estimated: bool
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    units: dict[str, int]
    reserved_usd: Decimal | None
    cost_usd: Decimal | None
    price_version: str | None
    waited_ms: float
    ttft_ms: float | None
    duration_ms: float | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None

    @classmethod
    def of(cls, row: CallRow) -> CallItem:
        """Return *row* with money in USD and spans in milliseconds."""
        same = {name: getattr(row, name) for name in cls.__struct_fields__ if name in CallRow.__struct_fields__}
        shown = {
            "started_at": from_micros(row.started_at),
            "reserved_usd": None if row.reserved is None else to_usd(row.reserved),
            "cost_usd": None if row.cost is None else to_usd(row.cost),
            "waited_ms": row.waited_us / 1000,
            "ttft_ms": None if row.ttft_us is None else row.ttft_us / 1000,
            "duration_ms": None if row.duration_us is None else row.duration_us / 1000,
        }
        return cls(**{**same, **shown})


class CallList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of attempts, newest first; *next* goes into `after` to read on."""

    items: tuple[CallItem, ...]
    next: str | None

    @classmethod
    def of(cls, page: CallPage) -> CallList:
        """Return *page* as it is shown."""
        return cls(items=tuple(map(CallItem.of, page.items)), next=page.next)


class CallDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One call with every attempt, and the decision where the gate refused it.

    *degraded_from*: the model that was asked for, where a budget has put a cheaper one in its place.
    *story*: the rules that the last attempt was asked of, in that order, as far as they are recorded.
    """

    call_id: str
    degraded_from: str | None
    attempts: tuple[CallItem, ...]
    refusal: dict[str, Any] | None
    story: tuple[RuleItem, ...]

    @classmethod
    def of(cls, rows: tuple[CallRow, ...]) -> CallDetail:
        """Return the call that *rows*, at least one, are the attempts of."""
        refusal = next((row.refusal for row in rows if row.refusal is not None), None)
        degraded_from = next((row.degraded_from for row in rows if row.degraded_from is not None), None)
        return cls(
            call_id=rows[0].call_id,
            degraded_from=degraded_from,
            attempts=tuple(map(CallItem.of, rows)),
            refusal=refusal,
            story=story_of(rows),
        )
