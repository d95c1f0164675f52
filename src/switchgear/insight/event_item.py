"""An entry of the audit trail as everybody outside sees it: ``/api/events`` and ``switchgear ledger events``."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.insight.days import from_micros
from switchgear.insight.metrics import plain
from switchgear.ledger.trail import KINDS
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.ledger.trail import EventPage
    from switchgear.ledger.views import EventRow

__all__ = ["EventItem", "EventList", "events_csv"]

_ITSELF: Final = "switchgear"
_INSTANTS: Final = frozenset({"since", "until", "before"})
_MONEY: Final = frozenset({"cost", "dropped_cost"})
_IN_UNIT: Final = frozenset({"used", "limit", "old", "new", "configured"})
_HIDDEN: Final = frozenset({"at", "actor", "by", "reason", "note", "settings", "alert", "silence"})
"""What is shown otherwise, or (the settings of a whole configuration, what alerts go on from) not at all."""

_COLUMNS: Final = ("id", "at", "kind", "subject", "actor", "reason", "what")


class EventItem(msgspec.Struct, frozen=True, kw_only=True):
    """One entry.

    Attributes:
        kind: one of ``switchgear.ledger.trail.KINDS``.
        subject: what it is about: a service, a budget, the ledger, a process.
        actor: who did it: a user of the system, a name that was given, or ``switchgear`` itself.
        reason: why, in words.
        what: its other facts; money in USD as text, instants as RFC 3339.
    """

    id: int
    at: dt.datetime
    kind: str
    subject: str
    actor: str
    reason: str
    what: dict[str, Any]

    @classmethod
    def of(cls, row: EventRow) -> EventItem:
        """Return *row* as it is shown."""
        what = row.what
        return cls(
            id=row.id,
            at=from_micros(row.at),
            kind=row.kind,
            subject=row.subject,
            actor=str(what.get("actor") or what.get("by") or _ITSELF),
            reason=str(what.get("reason") or what.get("note") or KINDS.get(row.kind, "")),
            what=dict(_shown(name, value, what) for name, value in what.items() if name not in _HIDDEN),
        )


class EventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of entries, newest first; *next* goes into `after` to read on."""

    items: tuple[EventItem, ...]
    next: str | None

    @classmethod
    def of(cls, page: EventPage) -> EventList:
        """Return *page* as it is shown."""
        return cls(items=tuple(map(EventItem.of, page.items)), next=page.next)


def events_csv(items: Iterable[EventItem]) -> str:
    """Return *items* as CSV with a header; ``what`` is JSON."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    for item in items:
        shown = plain(item)
        shown["what"] = msgspec.json.encode(shown["what"]).decode()
        lines.writerow([shown[name] for name in _COLUMNS])
    return text.getvalue()


def _shown(name: str, value: object, what: dict[str, object]) -> tuple[str, object]:
    if not isinstance(value, int) or isinstance(value, bool):
        return name, value
    if name in _INSTANTS:
        return name, from_micros(value)
    if name in _MONEY:
        return f"{name}_usd", to_usd(value)
    if name in _IN_UNIT and what.get("unit") == "usd":
        return f"{name}_usd", to_usd(value)
    return name, value
