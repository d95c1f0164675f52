"""What a budget counts, as the ledger is asked for it. Nothing heavy is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.ledger.encoding import json_text
from switchgear.policies.calendar import period_at

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FACETS", "TAG", "Counted", "Spend"]

FACETS: Final = ("service", "model", "job", "run", "layer", "key")
"""What attempts have that budgets go by, beside tags."""

TAG: Final = "tag."

_QUARTER: Final = 15 * 60 * 1_000_000
_CELLS: Final = 96
"""How finely a rolling period is remembered."""


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """What attempts that went out used: nano-USD, tokens in and out, and how many had no price."""

    cost: int
    tokens: int
    unpriced: int


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget counts, and how its time is cut.

    Attributes:
        match: what an attempt must have: any of ``service``, ``model`` (as asked for), ``job``, ``run``,
            ``layer``, ``key``, ``tag.<name>``; sorted by name.
        each: one of these names, for whose every value there is a sum; None: one sum.
        period: ``total``, ``hour``, ``day``, ``week`` or ``month``, cut in *timezone*.
        rolling_us: a rolling period in microseconds, in the place of a calendar one.
    """

    match: tuple[tuple[str, str], ...] = ()
    each: str | None = None
    period: str = "total"
    timezone: str = "UTC"
    rolling_us: int | None = None

    def __post_init__(self) -> None:
        for name in self.names:
            if name not in FACETS and not name.startswith(TAG):
                msg = f"attempts have no {name!r}; known are {', '.join(FACETS)} and tag.<name>"
                raise ValueError(msg)

    @property
    def names(self) -> frozenset[str]:
        """Return which attributes decide what is counted."""
        return frozenset(name for name, _ in self.match) | ({self.each} if self.each else frozenset())

    @property
    def text(self) -> str:
        """Return what tells these sums from others."""
        when: dict[str, object] = {"period": self.period}
        if self.rolling_us is not None:
            when = {"rolling_us": self.rolling_us}
        elif self.period != "total":
            when["timezone"] = self.timezone
        return json_text({"match": self.match, "each": self.each, **when})

    def start_of(self, instant: int) -> int:
        """Return when the piece of time began that *instant* is summed up in, both in epoch microseconds."""
        if self.rolling_us is not None:
            return instant - instant % self._cell
        return 0 if self.period == "total" else period_at(self.period, self.timezone, instant)[0]

    def since(self, now_us: int) -> int:
        """Return from when on attempts count at *now_us*, both in epoch microseconds."""
        return self.start_of(now_us) if self.rolling_us is None else now_us - self.rolling_us

    def value_of(self, facts: Mapping[str, str | None]) -> str | None:
        """Return under which value an attempt of *facts* is counted, ``""`` without *each*; None: it is not."""
        if any(facts[name] != wanted for name, wanted in self.match):
            return None
        return "" if self.each is None else facts[self.each]

    def after(self, start: int) -> int:
        """Return when the piece of a rolling period that began at *start* ends."""
        return start + self._cell

    @property
    def _cell(self) -> int:
        cell = (self.rolling_us or 0) // _CELLS
        return max(_QUARTER, cell - cell % _QUARTER)
