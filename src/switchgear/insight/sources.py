"""What the read side asks of the ledger and of the state: nothing here commands.

``switchgear.ledger.reader.LedgerReader`` and every ``State`` answer it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.clock import Moment
    from switchgear.ledger.views import CallFilter, CallPage, CallRow, Dimension, EventRow, Totals
    from switchgear.state.base import BreakerView, BudgetView, LimitView

__all__ = ["CallLedger", "LiveNumbers"]


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


class LiveNumbers(Protocol):
    """The part of a state that can be looked at; see ``State`` for what each view promises."""

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        """Return one view for each service."""

    def limits(self, now: Moment) -> Sequence[LimitView]:
        """Return one view for each configured limit."""

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        """Return one view for each account that is known."""
