"""Alerts and silences as the audit trail keeps them, so that a restart repeats nothing and loses nothing."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from switchgear.alerts.alert import Alert
from switchgear.alerts.silences import Silence
from switchgear.ledger.rows import Entry

if TYPE_CHECKING:
    from switchgear.insight.sources import TrailLedger

__all__ = ["alert_entry", "recorded_alerts", "recorded_silences", "silence_entry"]

_log = logging.getLogger("switchgear.alerts")


def alert_entry(alert: Alert, *, at: int, reason: str, actor: str | None = None) -> Entry:
    """Return what is recorded of *alert* as it is now; *actor*: who did it, None: nobody."""
    what: dict[str, object] = {
        "reason": reason,
        "state": alert.state,
        "severity": alert.severity,
        "reading": alert.value,
        "threshold": alert.threshold,
        "alert": msgspec.to_builtins(alert),
    }
    if actor is not None:
        what["actor"] = actor
    return Entry(kind="alert_changed", subject=alert.key, at=at, what=what)


def silence_entry(silence: Silence, *, at: int, ended_by: str | None = None) -> Entry:
    """Return what is recorded of *silence*, which is in force or (*ended_by*) was taken back."""
    what: dict[str, object] = {
        "actor": ended_by or silence.by,
        "reason": "taken back" if ended_by else silence.reason,
        "until": silence.until,
        "matchers": silence.matchers,
        "ended": ended_by is not None,
        "silence": msgspec.to_builtins(silence),
    }
    return Entry(kind="silence_changed", subject=silence.id, at=at, what=what)


def recorded_alerts(trail: TrailLedger) -> list[Alert]:
    """Return every alert as it was recorded last.

    Raises:
        LedgerError: the ledger can't be read.
    """
    found: list[Alert] = []
    for row in trail.newest_each("alert_changed"):
        try:
            found.append(msgspec.convert(row.what.get("alert"), Alert))
        except msgspec.ValidationError:
            _log.warning("what the ledger has of the alert %s can't be read; it begins anew", row.subject)
    return found


def recorded_silences(trail: TrailLedger) -> list[Silence]:
    """Return every silence that was not taken back; raises as above."""
    found: list[Silence] = []
    for row in trail.newest_each("silence_changed"):
        if row.what.get("ended") is not True:
            try:
                found.append(msgspec.convert(row.what.get("silence"), Silence))
            except msgspec.ValidationError:
                _log.warning("what the ledger has of the silence %s can't be read; it is not in force", row.subject)
    return found
