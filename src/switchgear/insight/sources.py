"""What the read side asks of the ledger and of the state: nothing here commands.

``switchgear.ledger.reader.LedgerReader`` and every ``State`` answer it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Mapping, Sequence

    from switchgear.clock import Moment
    from switchgear.ledger.key_rows import Key
    from switchgear.ledger.tail import TailRow
    from switchgear.ledger.trail import EventPage
    from switchgear.ledger.usage_views import Asked, Cut, Steps, UnitSum, UsageFilter, UsageSum
    from switchgear.ledger.views import CallFilter, CallPage, CallRow, Dimension, EventRow, Totals
    from switchgear.state.base import BreakerView, BudgetView, LimitView

__all__ = [
    "CallLedger",
    "CostLedger",
    "Histories",
    "LiveNumbers",
    "TailLedger",
    "TrailLedger",
    "UsageLedger",
    "UsagePiece",
]

_Made = TypeVar("_Made")


class CallLedger(Protocol):
    """The part of the ledger's reader that reports and pages need. Every method raises LedgerError."""

    def calls(self, where: CallFilter, *, limit: int = 50, after: str | None = None) -> CallPage:
        """Return a page of attempts, newest first; ValueError for an *after* that no page gave."""

    def call(self, call_id: str) -> tuple[CallRow, ...]:
        """Return every attempt of a call, by its id or the id of one of its rows; empty: unknown."""

    def totals(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        by: Sequence[Dimension] = (),
        bucket_us: int | None = None,
        service: str | None = None,
    ) -> tuple[Totals, ...]:
        """Return sums over roll-ups for each group, and for each time bucket where *bucket_us* is given."""

    def latency(
        self, *, since: int, until: int, service: str | None = None, shares: Sequence[float] = (0.5, 0.95, 0.99)
    ) -> dict[float, int] | None:
        """Return the duration in microseconds that each share of the calls stayed within; None: no calls."""

    def events(self, *, kind: str | None = None, limit: int = 50) -> tuple[EventRow, ...]:
        """Return the newest events first."""


class UsagePiece(Protocol):
    """The sums of a piece of time, and what was made of them."""

    @property
    def sums(self) -> Sequence[UsageSum]:
        """Return the sums, in order of time."""

    def made(self, key: Hashable, make: Callable[[UsagePiece], _Made]) -> _Made:
        """Return *make(self)*, remembered with the piece until another *key* is asked for."""


class Histories(Protocol):
    """What forecasts are made from."""

    def history(
        self, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None
    ) -> dict[str | None, dict[int, int]]:
        """Return what a budget's calls used, for each value of *each* and each step that has any."""


class UsageLedger(Histories, Protocol):
    """The part of the ledger's reader that reports of usage and cost need. Every method raises LedgerError."""

    def extent(self) -> tuple[int, int] | None:
        """Return from when to when there are roll-ups; None: there are none."""

    def rollup_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        """Return sums over roll-ups by service, model, layer, key, status, for each piece of *cut*."""

    def rollup_pieces(self, asked: Asked, edges: Sequence[int]) -> Sequence[UsagePiece]:
        """Return the sums between each two of *edges*; an unchanged piece is the one of before."""

    def row_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        """Return the same from rows, also by job, run and ``tag.<name>``; a group may come several times."""

    def job_sums(self) -> Sequence[UsageSum]:
        """Return the sums of each job since the first call."""

    def units(self, where: UsageFilter, *, by: Sequence[str] = ()) -> Sequence[UnitSum]:
        """Return the units that are no tokens, from rows; a group may come several times."""


class TrailLedger(Protocol):
    """The audit trail; see ``switchgear.ledger.trail.TrailReader``. Every method raises LedgerError."""

    def page(
        self,
        *,
        kind: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> EventPage:
        """Return entries, newest first; ValueError for an *after* that no page gave."""

    def last(self) -> int:
        """Return the id of the newest entry, 0 if there is none."""

    def following(self, last: int, *, kind: str | None = None, limit: int = 100) -> Sequence[EventRow]:
        """Return the entries after the one with the id *last*, in order."""

    def about(self, kind: str, subject: str, *, limit: int) -> Sequence[EventRow]:
        """Return the newest entries of *kind* about *subject*, newest first."""

    def newest_each(self, kind: str) -> Sequence[EventRow]:
        """Return the newest entry of *kind* about each subject, oldest first."""


class TailLedger(Protocol):
    """Attempts as they are recorded; see ``switchgear.ledger.tail.TailReader``. Every method raises LedgerError."""

    def last(self) -> int:
        """Return the place of the attempt that was recorded last."""

    def on_the_wire(self, where: CallFilter, *, limit: int) -> frozenset[int]:
        """Return the places of the newest attempts that are not settled yet."""

    def places(self, where: CallFilter, *, after: int, known: Collection[int], limit: int) -> Sequence[int]:
        """Return the newest places after *after* that are not *known*."""

    def rows(self, places: Collection[int], *, ended: Collection[int] = ()) -> Sequence[TailRow]:
        """Return the attempts at *places*, and those of *ended* that are over."""


class CostLedger(CallLedger, Protocol):
    """Calls one by one, what reports ask, the audit trail, and calls as they come."""

    @property
    def trail(self) -> TrailLedger:
        """Return the audit trail."""

    @property
    def tail(self) -> TailLedger:
        """Return attempts as they are recorded."""

    def known_keys(self) -> Sequence[Key]:
        """Return every Switchgear key there ever was, by name."""

    @property
    def usage(self) -> UsageLedger:
        """Return what reports of usage and cost ask."""

    def size_bytes(self) -> int:
        """Return how much room the ledger takes."""


class LiveNumbers(Protocol):
    """The part of a state that can be looked at; see ``State`` for what each view promises."""

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        """Return one view for each service."""

    def limits(self, now: Moment) -> Sequence[LimitView]:
        """Return one view for each configured limit."""

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        """Return one view for each account that is known."""
