"""What a history says: the status now, and when the application was sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jobsmith.applications.periods import from_micros

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from jobsmith.applications.record import Status

__all__ = ["Standing", "Step", "advances", "standing"]

_UNSENT = frozenset({"drafted", "ready"})


class Step(NamedTuple):
    """A status, when it came (epoch microseconds; None: unknown), and when and in which order it was noted."""

    status: Status
    at: int | None
    noted_at: int
    number: int

    def when(self, zone: ZoneInfo) -> tuple[dt.date, int]:
        """Return its place in the order of time.

        That is its day, since people say days, and on one day the order in which they were noted.
        What has no date stands where it was noted.
        """
        at = self.noted_at if self.at is None else self.at
        return (from_micros(at).astimezone(zone).date(), self.number)


class Standing(NamedTuple):
    """What a history comes to."""

    status: Status
    applied_at: int | None


def standing(steps: Iterable[Step], zone: ZoneInfo) -> Standing:
    """Return where *steps*, of which there is at least one, lead to; their order does not matter.

    It was sent when it first became ``applied`` with a date. Whoever says afterwards that it is a
    draft takes back all that was noted before, whatever date that has.
    """
    noted = sorted(steps, key=lambda step: step.number)
    drafts = [at for at, step in enumerate(noted) if step.status in _UNSENT]
    sent = sorted(noted[drafts[-1] + 1 if drafts else 0 :], key=lambda step: step.when(zone))
    dates = [step.at for step in sent if step.status == "applied" and step.at is not None]
    return Standing((sent or noted)[-1].status, dates[0] if dates else None)


def advances(old: Status | None, new: Status) -> bool:
    """Tell whether a run that ends in *new* may change *old*: only drafts become ready, nothing is un-applied."""
    return old is None or (old == "drafted" and new == "ready")
