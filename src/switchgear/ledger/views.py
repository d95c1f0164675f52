"""What is read from the ledger. Instants are epoch microseconds, money is nano-USD."""

from __future__ import annotations

from typing import Literal

import msgspec

from switchgear.calls import CallStatus, Reason

__all__ = ["CallFilter", "CallPage", "CallRow", "Dimension", "EventRow", "Totals"]

Dimension = Literal["service", "model", "layer", "key", "status"]
"""What roll-ups can be grouped by."""


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt. *cost* None: unpriced, or (with status ``reserved``) not settled yet."""

    id: str
    call_id: str
    attempt: int
    started_at: int
    service: str
    endpoint: str
    model: str | None
    degraded_from: str | None = None
    job: str | None
    run: str | None
    layer: str | None
    key: str | None
    tags: dict[str, str]
    status: CallStatus
    refused_by: Reason | None
    refusal: dict[str, object] | None
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
    reserved: int | None
    cost: int | None
    price_version: str | None
    waited_us: int
    ttft_us: int | None
    duration_us: int | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts are wanted; None: any. *since* is inclusive, *until* is not."""

    service: str | None = None
    model: str | None = None
    job: str | None = None
    run: str | None = None
    layer: str | None = None
    key: str | None = None
    status: CallStatus | None = None
    refused_by: Reason | None = None
    trace_id: str | None = None
    since: int | None = None
    until: int | None = None


class CallPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of attempts, newest first. *next* goes into ``after`` to read on; None at the end."""

    items: tuple[CallRow, ...]
    next: str | None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over roll-ups for one group.

    Attributes:
        group: the value of each dimension asked for, e.g. ``{"service": "openai"}``.
        bucket: start of the time bucket, None where no series was asked for.
        calls: attempts of every status but ``reserved``; *ok*, *failed*, *refused*, *cancelled* and
            *orphaned* add up to it.
        cost: of priced calls; *unpriced* calls that went out are not in it.
        duration_us: sum over attempts that went out; *waited_us* likewise.
    """

    group: dict[str, str | None]
    bucket: int | None = None
    calls: int = 0
    ok: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    orphaned: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: int = 0
    unpriced: int = 0
    estimated: int = 0
    duration_us: int = 0
    waited_us: int = 0


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded event; *what* is the event's own fields."""

    id: int
    at: int
    kind: str
    subject: str
    what: dict[str, object]
