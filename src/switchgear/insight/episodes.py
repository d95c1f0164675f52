"""What became of a breaker: its states over time, and the episodes in which it turned calls away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec

from switchgear.events import CircuitName
from switchgear.ledger.views import CallFilter, CallRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.insight.sources import CallLedger
    from switchgear.ledger.views import EventRow

__all__ = ["COUNTED", "Episode", "Failures", "Stretch", "episodes_of", "failures_of", "stretches_of"]

COUNTED: Final = 100
"""Refusals of an episode that are counted; from there on there are more."""

_TROUBLE: Final = frozenset({"open", "half_open", "forced_open"})
_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_SAMPLE: Final = 200
_CLASSES: Final = 5


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker was in *state* from *start* to *end*, epoch microseconds."""

    state: CircuitName
    start: int
    end: int


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """From when a breaker turned calls away until it let them go again. Instants are epoch microseconds.

    Attributes:
        reason: why it opened.
        openings: how often it opened, probing in between.
        ended: None: it has not yet; *how*: what ended it.
        failure: the last failed call before it opened; None: none within an hour.
        refused: calls that it turned away, up to ``COUNTED`` + 1.
    """

    began: int
    reason: str
    openings: int
    forced: bool
    ended: int | None = None
    how: str | None = None
    failure: CallRow | None = None
    refused: int = 0


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """Failed calls of one kind: how many, and the newest."""

    kind: str
    number: int
    newest: CallRow


def stretches_of(changes: Iterable[EventRow], *, since: int, now: int, state: CircuitName) -> list[Stretch]:
    """Return the states from *since* to *now*, oldest first, of a breaker that is in *state* now.

    *changes* are its changes, newest first.
    """
    found: list[Stretch] = []
    end = now
    for change in changes:
        if change.at <= since:
            break
        at = min(change.at, end)
        if at < end:
            found.append(Stretch(state=state, start=at, end=end))
        state, end = _state(change, "old"), at
    if since < end:
        found.append(Stretch(state=state, start=since, end=end))
    return found[::-1]


def episodes_of(reader: CallLedger, service: str, changes: Sequence[EventRow], *, now: int, most: int) -> list[Episode]:
    """Return the newest *most* episodes of *service*, newest first; *changes* are newest first.

    Raises:
        LedgerError: the ledger can't be read.
    """
    found: list[Episode] = []
    current: Episode | None = None
    for change in reversed(changes):
        old, new = _state(change, "old"), _state(change, "new")
        reason = str(change.what.get("reason") or "-")
        if current is None:
            # The beginning of one that is older than what is known of changes is not made up.
            if new in _TROUBLE and old not in _TROUBLE:
                current = Episode(began=change.at, reason=reason, openings=1, forced=new == "forced_open")
        elif new not in _TROUBLE:
            found.append(msgspec.structs.replace(current, ended=change.at, how=reason))
            current = None
        elif new in {"open", "forced_open"}:
            forced = current.forced or new == "forced_open"
            current = msgspec.structs.replace(current, openings=current.openings + 1, forced=forced)
    if current is not None:
        found.append(current)
    return [_witnessed(reader, service, episode, now) for episode in found[: -most - 1 : -1]]


def failures_of(reader: CallLedger, service: str, *, now: int) -> list[Failures]:
    """Return the kinds of failure among the newest 200 failed calls of the last 24 hours, the most frequent first.

    Raises:
        LedgerError: the ledger can't be read.
    """
    rows = reader.calls(CallFilter(service=service, status="failed", since=now - _DAY), limit=_SAMPLE).items
    kinds: dict[str, list[CallRow]] = {}
    for row in rows:
        kind = f"HTTP {row.http_status}" if row.http_status else (row.error or "no answer").partition(":")[0]
        kinds.setdefault(kind, []).append(row)
    found = [Failures(kind=kind, number=len(of), newest=of[0]) for kind, of in kinds.items()]
    return sorted(found, key=lambda each: -each.number)[:_CLASSES]


def _witnessed(reader: CallLedger, service: str, episode: Episode, now: int) -> Episode:
    failed = CallFilter(service=service, status="failed", since=episode.began - _HOUR, until=episode.began + 1)
    newest = () if episode.forced else reader.calls(failed, limit=1).items
    refused = CallFilter(
        service=service,
        status="refused",
        refused_by="breaker",
        since=episode.began,
        until=now + 1 if episode.ended is None else episode.ended + 1,
    )
    number = len(reader.calls(refused, limit=COUNTED + 1).items)
    return msgspec.structs.replace(episode, failure=newest[0] if newest else None, refused=number)


def _state(change: EventRow, name: str) -> CircuitName:
    return cast("CircuitName", change.what.get(name) or "closed")
