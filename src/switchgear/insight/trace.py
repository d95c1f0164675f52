"""The calls of one trace, side by side in time: what waited, what took long, what it cost together."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import CallStatus, Reason
from switchgear.insight.days import from_micros
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.money import to_usd
from switchgear.tracing import call_id_of, run_trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.insight.sources import CallLedger

__all__ = ["LARGEST", "Trace", "TraceAttempt", "TraceCall", "TraceLayer", "find_trace", "trace_of"]

LARGEST: Final = 500
"""Attempts of a trace that are looked at."""


class TraceAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: *waited_ms* at the gate from *start_ms* on, then *took_ms*; null: it has not ended."""

    attempt: int
    status: CallStatus
    refused_by: Reason | None
    http_status: int | None
    error: str | None
    start_ms: float
    waited_ms: float
    took_ms: float | None
    cost_usd: Decimal | None


class TraceCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call with its attempts; *status* is the last one's, tokens and cost are of all."""

    call_id: str
    service: str
    endpoint: str
    model: str | None
    job: str | None
    run: str | None
    layer: str | None
    status: CallStatus
    refused_by: Reason | None
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    estimated: bool
    attempts: tuple[TraceAttempt, ...]


class TraceLayer(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one layer of one run, from the first to the last; *cost_usd* is of those whose cost is known."""

    run: str
    layer: str
    start_ms: float
    took_ms: float
    calls: int
    cost_usd: Decimal


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that went through the gate under one trace id, by when it began.

    Attributes:
        duration_ms: from the first wait to the end of the last attempt, as of now for what goes on.
        cost_usd: of the calls whose cost is known; *unpriced* went out and are not in it.
        failed, refused: calls that ended so.
        layers: those that its calls name, by when they began.
        complete: false: there are more attempts than are looked at; these are the newest.
    """

    id: str
    runs: tuple[str, ...]
    started_at: dt.datetime
    duration_ms: float
    calls: int
    failed: int
    refused: int
    cost_usd: Decimal
    unpriced: int
    estimated: bool
    input_tokens: int
    output_tokens: int
    complete: bool
    layers: tuple[TraceLayer, ...]
    items: tuple[TraceCall, ...]


def find_trace(reader: CallLedger, trace_id: str, *, now: int) -> Trace | None:
    """Return the trace *trace_id*, or that of the run of this name, as of epoch microsecond *now*.

    None: the ledger knows no call of it.

    Raises:
        LedgerError: the ledger can't be read.
    """
    if not re.fullmatch("[0-9a-f]{32}", trace_id):
        trace_id = run_trace(trace_id)
    page = reader.calls(CallFilter(trace_id=trace_id), limit=LARGEST)
    if page.items:
        return trace_of(trace_id, page.items, now=now, complete=page.next is None)
    call_id = call_id_of(trace_id)
    rows = () if call_id is None else reader.call(call_id)
    return trace_of(trace_id, rows, now=now) if rows and rows[0].trace_id is None else None


def trace_of(trace_id: str, rows: Sequence[CallRow], *, now: int, complete: bool = True) -> Trace:
    """Return the trace of *rows*, in any order, at least one."""
    start = min(map(_begun, rows))
    by_call = sorted(rows, key=lambda row: (row.call_id, row.attempt))
    groups = [tuple(group) for _, group in groupby(by_call, key=lambda row: row.call_id)]
    groups.sort(key=lambda group: (_begun(group[0]), group[0].call_id))
    out = [row for row in rows if row.status != "refused"]
    return Trace(
        id=trace_id,
        runs=tuple(sorted({row.run for row in rows if row.run is not None})),
        started_at=from_micros(start),
        duration_ms=(max(_end(row, now) for row in rows) - start) / 1000,
        calls=len(groups),
        failed=sum(group[-1].status in {"failed", "orphaned"} for group in groups),
        refused=sum(group[-1].status == "refused" for group in groups),
        cost_usd=to_usd(sum(row.cost or 0 for row in out)),
        unpriced=sum(row.cost is None and row.status != "reserved" for row in out),
        estimated=any(row.estimated for row in out),
        input_tokens=sum(row.input_tokens for row in out),
        output_tokens=sum(row.output_tokens for row in out),
        complete=complete,
        layers=_layers(rows, start, now),
        items=tuple(_call(group, start) for group in groups),
    )


def _layers(rows: Sequence[CallRow], start: int, now: int) -> tuple[TraceLayer, ...]:
    found: dict[tuple[str, str], list[CallRow]] = {}
    for row in sorted(rows, key=_begun):
        if row.layer is not None:
            found.setdefault((row.run or "", row.layer), []).append(row)
    return tuple(
        TraceLayer(
            run=run,
            layer=layer,
            start_ms=(_begun(some[0]) - start) / 1000,
            took_ms=(max(_end(row, now) for row in some) - _begun(some[0])) / 1000,
            calls=len({row.call_id for row in some}),
            cost_usd=to_usd(sum(row.cost or 0 for row in some if row.status != "refused")),
        )
        for (run, layer), some in found.items()
    )


def _call(rows: tuple[CallRow, ...], start: int) -> TraceCall:
    last = rows[-1]
    out = [row for row in rows if row.status != "refused"]
    known = [row.cost for row in out if row.cost is not None]
    return TraceCall(
        call_id=last.call_id,
        service=last.service,
        endpoint=last.endpoint,
        model=last.model,
        job=last.job,
        run=last.run,
        layer=last.layer,
        status=last.status,
        refused_by=last.refused_by,
        input_tokens=sum(row.input_tokens for row in out),
        output_tokens=sum(row.output_tokens for row in out),
        cost_usd=to_usd(sum(known)) if known and len(known) == len(out) else None,
        estimated=any(row.estimated for row in out),
        attempts=tuple(_attempt(row, start) for row in rows),
    )


def _attempt(row: CallRow, start: int) -> TraceAttempt:
    took = 0 if row.status == "refused" else row.duration_us
    return TraceAttempt(
        attempt=row.attempt,
        status=row.status,
        refused_by=row.refused_by,
        http_status=row.http_status,
        error=row.error,
        start_ms=(_begun(row) - start) / 1000,
        waited_ms=row.waited_us / 1000,
        took_ms=None if took is None else took / 1000,
        cost_usd=None if row.cost is None or row.status == "refused" else to_usd(row.cost),
    )


def _begun(row: CallRow) -> int:
    """Return when it came to the gate: the ledger has when it was let go."""
    return row.started_at - row.waited_us


def _end(row: CallRow, now: int) -> int:
    if row.status == "refused":
        return row.started_at
    return max(row.started_at, now) if row.duration_us is None else row.started_at + row.duration_us
