"""What a budget's page shows and takes long to find, remembered for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.insight.buckets import QUARTER
from switchgear.insight.budget_story import Part, breakdown
from switchgear.insight.outlook_memory import ForecastMemory
from switchgear.insight.soon import Soon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.sources import UsageLedger

__all__ = ["BudgetMemory"]

_FRESH: Final = 60 * MICROS
_MOST: Final = 64


class BudgetMemory:
    """Safe to use from several threads: two that find something too old both make it, and it comes to the same.

    Attributes:
        outlooks: where accounts are going.
    """

    def __init__(self, reader: UsageLedger, zone: ZoneInfo) -> None:
        self._reader: Final = reader
        self.outlooks: Final = ForecastMemory(reader, zone)
        self._soon: Final = Soon()
        self._parts: dict[tuple[object, ...], tuple[int, Sequence[Part]]] = {}

    def parts(self, budget: BudgetMetrics, by: str, *, now: int) -> Sequence[Part] | None:
        """Return what each value of *by* used of the account in its period; None: it is being added up.

        Raises:
            LedgerError: the ledger can't be read.
        """
        wanted = (budget.name, budget.value, by, budget.period_start)
        known = self._parts.get(wanted)
        if known is not None and known[0] <= now < known[0] + _FRESH:
            return known[1]
        found = self._soon.get(wanted, lambda: breakdown(self._reader, budget, by, until=now + -now % QUARTER))
        if found is None:
            return None
        self._parts = dict([*self._parts.items()][1 - _MOST :]) | {wanted: (now, found)}
        return found
