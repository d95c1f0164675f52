"""What happened beside the numbers: breakers that opened, budgets that were changed."""

from __future__ import annotations

from typing import Final

from switchgear.insight.questions import Span
from switchgear.insight.sources import CallLedger
from switchgear.ledger.views import EventRow
from switchgear.web.format import nano
from switchgear.web.usage_chart import Mark

__all__ = ["marks"]

_MOST: Final = 200
_SHOWN: Final = 30


def marks(reader: CallLedger, span: Span) -> list[Mark]:
    """Return what happened in *span*, whose ends are given, oldest first; at most the newest 30."""
    assert span.since is not None  # noqa: S101 - as documented
    assert span.until is not None  # noqa: S101
    length = span.until - span.since
    found = []
    for kind in ("breaker_changed", "budget_changed"):
        for event in reader.events(kind=kind, limit=_MOST):
            text = _text(event)
            if text is not None and span.since <= event.at < span.until:
                x = round((event.at - span.since) * 10_000 / length) / 100
                found.append(Mark(at=event.at, x=x, kind=kind.partition("_")[0], text=text))
    return sorted(found, key=lambda mark: mark.at)[-_SHOWN:]


def _text(event: EventRow) -> str | None:
    if event.kind == "breaker_changed":
        return f"{event.subject} breaker opened" if event.what.get("new") == "open" else None
    old, new = event.what.get("old"), event.what.get("new")
    if event.what.get("unit") == "usd" and isinstance(old, int) and isinstance(new, int):
        return f"budget {event.subject}: {nano(old)} to {nano(new)}"
    return f"budget {event.subject}: {old} to {new}"
