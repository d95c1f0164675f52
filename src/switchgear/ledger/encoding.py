"""From what the governor hands over to rows of the tables, as tuples in the order of ``sql``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.events import BreakerChanged, BudgetChanged, BudgetCrossed, ShadowExceeded
from switchgear.ledger.rows import Entry

if TYPE_CHECKING:
    from switchgear.calls import Call, Usage
    from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled

__all__ = ["Values", "event_row", "json_text", "refused_row", "reserved_row", "settled_row"]

Values = tuple[str | int | None, ...]

_OVER: Final = frozenset({"ok", "failed", "cancelled"})
_encode: Final = msgspec.json.Encoder().encode


def json_text(value: object) -> str:
    """Return *value* as compact JSON."""
    return _encode(value).decode()


def _pairs(pairs: tuple[tuple[str, str | int], ...]) -> str:
    # The first of equal names wins, as in Attribution.value.
    return json_text(dict(reversed(pairs))) if pairs else "{}"


def _usage(usage: Usage) -> Values:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        _pairs(usage.units),
    )


def _identity(call: Call, started_at: int) -> Values:
    on_behalf = call.attribution
    return (
        call.id,
        call.attempt,
        started_at,
        call.service,
        call.endpoint,
        call.degraded_from,
        call.model,
        call.model,
        on_behalf.job,
        on_behalf.run,
        on_behalf.layer,
        on_behalf.key,
        _pairs(on_behalf.tags),
    )


def reserved_row(record: AttemptReserved) -> Values:
    """Return *record* in the columns of ``sql.OPENED``.

    Until it is settled the row shows the worst case, marked as an estimate: that is what an
    orphan counts for.
    """
    call = record.call
    return (
        *_identity(call, record.started_at),
        "reserved",
        None,
        None,
        int(call.streamed),
        1,
        *_usage(call.bound),
        record.cost,
        None,
        record.price_version,
        record.waited_us,
        call.trace_id,
        call.span_id,
        call.parent_span_id,
    )


def refused_row(record: AttemptRefused) -> Values:
    """Return *record* in the columns of ``sql.OPENED``: nothing was used, nothing was spent.

    ``reserved`` keeps the worst case that was asked for, although a refusal holds nothing.
    """
    call = record.call
    return (
        *_identity(call, record.at),
        "refused",
        record.refusal.reason,
        json_text(record.refusal),
        int(call.streamed),
        0,
        *(0, 0, 0, 0, 0, "{}"),
        record.cost,
        0,
        None,
        record.waited_us,
        call.trace_id,
        call.span_id,
        call.parent_span_id,
    )


def settled_row(record: AttemptSettled, *, seq: int, model: str | None) -> Values:
    """Return *record* as ``seq`` and the columns of ``sql.SETTLED``.

    Raises:
        ValueError: its status is none that an attempt ends with.
    """
    if record.status not in _OVER:
        msg = f"an attempt does not end as {record.status!r}"
        raise ValueError(msg)
    return (
        seq,
        record.status,
        model,
        *_usage(record.usage),
        record.cost,
        record.price_version,
        int(record.estimated),
        record.http_status,
        record.error,
        record.ttft_us,
        record.duration_us,
    )


def event_row(
    event: BreakerChanged | BudgetChanged | BudgetCrossed | ShadowExceeded | Entry,
) -> Values:
    """Return *event* in the columns of ``sql.EVENT``."""
    if isinstance(event, Entry):
        return event.at, event.kind, event.subject, json_text(event.what)
    fields = msgspec.to_builtins(event)
    kind = fields.pop("type")
    if isinstance(event, ShadowExceeded):
        subject = event.rule
    else:
        subject = event.service if isinstance(event, BreakerChanged) else event.budget
    return event.at, kind, subject, json_text(fields)
