"""Sums of days that are over: read once, then remembered, since nothing can change them any more."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.ledger.views import CallFilter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.insight.sources import CallLedger
    from switchgear.ledger.views import Dimension, Totals

__all__ = ["PastSums"]

_SETTLED_IN: Final = 60 * MICROS
"""By then, whatever began before midnight is in the ledger, at least as reserved."""


class PastSums:
    """The sums of a ledger by *by* up to the start of today; safe to use from several threads.

    A roll-up belongs to the time when its calls began. So what is before today is final as soon as
    no call that began before today is still under way; until then it is read anew each time.
    """

    def __init__(self, reader: CallLedger, by: Sequence[Dimension]) -> None:
        self._reader: Final = reader
        self._by: Final = tuple(by)
        self._lock: Final = threading.Lock()
        self._known: tuple[tuple[int | None, int], tuple[Totals, ...]] | None = None

    def read(self, *, since: int | None, today: int, now: int) -> tuple[Totals, ...]:
        """Return sums that add up to those from *since* (None: the first call) to *today*, when the day of *now* began.

        All are epoch microseconds.

        Raises:
            LedgerError: the ledger can't be read.
        """
        if since == today:
            return ()
        wanted = (since, today)
        with self._lock:
            if self._known is not None and self._known[0] == wanted:
                return self._known[1]
        final = now - today >= _SETTLED_IN and not self._under_way(today)
        rows = self._up_to(since, today)
        if final:
            with self._lock:
                self._known = (wanted, rows)
        return rows

    def _up_to(self, since: int | None, today: int) -> tuple[Totals, ...]:
        """Read on from the day that is known; what is remembered was final."""
        with self._lock:
            known = self._known
        if known is None or known[0][0] != since or known[0][1] > today:
            return self._reader.totals(since=since, until=today, by=self._by)
        (_, until), before = known
        return (*before, *self._reader.totals(since=until, until=today, by=self._by))

    def _under_way(self, today: int) -> bool:
        return bool(self._reader.calls(CallFilter(status="reserved", until=today), limit=1).items)
