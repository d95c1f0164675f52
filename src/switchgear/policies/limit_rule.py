"""The nouns of a limiter: its rules, and the three answers it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchgear.calls import Unit
from switchgear.policies.calendar import DayOutlook, DayWindow
from switchgear.policies.window import Outlook, Window

if TYPE_CHECKING:
    from switchgear.clock import Moment

__all__ = ["Bound", "Grant", "LimitDenial", "LimitRule", "Past", "Queued"]


class LimitRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One limit: at most *limit* of *unit* in any *window_us* microseconds (0: at any instant).

    With *timezone* it is counted by the calendar day there, whatever *window_us* says.
    """

    name: str
    unit: Unit
    limit: int
    window_us: int
    timezone: str | None = None


class Past(NamedTuple):
    """Calls that went out at monotonic *at* and still count: *requests* of them, with *tokens* in all."""

    at: int
    requests: int
    tokens: int


class Bound(msgspec.Struct, frozen=True, gc=False):
    """A rule with the window that keeps it; *by_token*: a call needs its tokens of it, else 1."""

    rule: LimitRule
    window: Window | DayWindow
    by_token: bool

    def used(self, now: Moment) -> int:
        """Return what counts at *now*."""
        return self.window.used(now.mono) if isinstance(self.window, Window) else self.window.used(now.wall)

    def outlook(self, now: Moment) -> Outlook | DayOutlook:
        """Return what it will hold when those in line have gone."""
        return Outlook(self.window, now.mono) if isinstance(self.window, Window) else DayOutlook(self.window, now)

    def usage(self, now: Moment, units: int = 1) -> tuple[int, int | None]:
        """Return what counts at *now*, and the instant when *units* are free, None for now."""
        ready = self.outlook(now).ready(units, now.mono)
        return self.used(now), ready if ready > now.mono else None


class Grant(msgspec.Struct, eq=False):
    """Units taken from a limiter, to be settled and released once.

    Attributes:
        tokens: what it holds in every limit on tokens.
        bounds: the limits that it was taken from, and the cells in their windows that it is counted in.
        open: until it is settled or cancelled, or its lease is over.
    """

    tokens: int
    bounds: Sequence[Bound]
    cells: Sequence[int]
    open: bool = True


class LimitDenial(msgspec.Struct, frozen=True, kw_only=True):
    """No, with the binding rule. *ready_at* is monotonic microseconds, None: not foreseeable or never."""

    rule: LimitRule
    used: int
    needed: int
    ready_at: int | None
    never: bool = False


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """Wait until *go_at* (monotonic microseconds) for *rule*, then ask with *slot* again."""

    slot: int
    go_at: int
    rule: LimitRule
