"""What the writer keeps in memory while the ledger can't be written, and what that amounts to."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.events import BudgetChanged
from switchgear.ledger.rows import AttemptReserved, AttemptSettled, OrphanSweep
from switchgear.money import format_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.errors import LedgerError
    from switchgear.ledger.books import Record

__all__ = ["Keeper", "OnError", "Outage"]

OnError = Literal["refuse", "allow"]
"""What happens to calls that can't be recorded: none goes, or they go and are counted in memory."""

_MOST: Final = 20_000
"""Calls, and other records, that are kept at most: some 40 MB."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the ledger can't be written.

    Attributes:
        reason: a sentence that names the cause and what to do.
        since: epoch microseconds.
        on_error: the policy in force.
        final: it does not end before a restart, because the file is damaged.
        kept: records that are in memory only.
        calls: calls that went out unrecorded, those that are dropped too; *reserved* is their worst case,
            *cost* what those that are over came to, both in nano-USD.
        dropped: of these, calls that no memory was left for: they will never be in the ledger.
        dropped_cost: what those of them that are over came to, in nano-USD.
        lost: refusals and events that no memory was left for.
    """

    reason: str
    since: int
    on_error: OnError
    final: bool
    kept: int = 0
    calls: int = 0
    reserved: int = 0
    cost: int = 0
    dropped: int = 0
    dropped_cost: int = 0
    lost: int = 0

    @property
    def sentence(self) -> str:
        """What it means for calls, in one sentence without a full stop."""
        if self.on_error == "refuse":
            again = "until Switchgear is started again" if self.final else "until it can be written again"
            return f"{self.reason}; no call goes {again}"
        spent = f"{format_usd(self.cost)} spent, {format_usd(self.reserved)} at the worst"
        fate = "in memory only" if not self.final else "in memory only, and lost with this process"
        dropped = f", {self.dropped:,} dropped for good ({format_usd(self.dropped_cost)})" if self.dropped else ""
        return f'{self.reason}; calls go on unrecorded (on_error = "allow"): {self.calls:,} ({spent}) {fate}{dropped}'


class Keeper:
    """Keeps records in order for a writer thread, which alone changes it; *outage* may be read by anybody.

    Settlements are always kept: there are no more of them than calls in flight. Calls are kept only
    where the policy lets them go, and like refusals and events only so many.

    Args:
        on_error: the policy.
        most: how many calls are kept, and how many refusals and events.
    """

    def __init__(self, on_error: OnError, *, most: int = _MOST) -> None:
        self._on_error: Final = on_error
        self._most: Final = most
        self._records: Final[deque[Record]] = deque()
        self._calls = self._others = 0
        self._dropped: Final[set[tuple[str, int]]] = set()
        self._unrecorded: Final[set[tuple[str, int]]] = set()
        self.outage: Outage | None = None

    def begin(self, reason: str, *, at: int, final: bool) -> bool:
        """Note that the ledger can't be written because of *reason*; return whether that is news."""
        before = self.outage
        if before is None:
            self.outage = Outage(reason=reason, since=at, on_error=self._on_error, final=final)
            return True
        self.outage = msgspec.structs.replace(before, reason=reason, final=final or before.final)
        return False

    def end(self) -> Outage | None:
        """Note that everything is written; return what there was."""
        over, self.outage = self.outage, None
        self._unrecorded.clear()
        return over

    def keep(self, records: Sequence[Record], error: LedgerError, *, first: int = 0) -> dict[int, LedgerError]:
        """Take what the policy takes of *records* from index *first* on; for the others, by index, return *error*."""
        problems = {}
        for index, record in enumerate(islice(records, first, None), start=first):
            refused = self._on_error == "refuse" and isinstance(record, AttemptReserved | BudgetChanged)
            if refused or isinstance(record, OrphanSweep):
                problems[index] = error
            else:
                self._take(record)
        self._change(kept=len(self._records))
        return problems

    def first(self, count: int) -> list[Record]:
        """Return the oldest *count* records, or as many as there are."""
        return list(islice(self._records, count))

    def drop(self, count: int) -> None:
        """Forget the oldest *count* records: they are in the ledger."""
        for _ in range(count):
            record = self._records.popleft()
            if isinstance(record, AttemptReserved):
                self._calls -= 1
            elif not isinstance(record, AttemptSettled):
                self._others -= 1
        self._change(kept=len(self._records))

    def _take(self, record: Record) -> None:
        if isinstance(record, AttemptSettled):
            self._settled(record)
        elif isinstance(record, AttemptReserved):
            self._reserved(record)
        elif self._others < self._most:
            self._others += 1
            self._records.append(record)
        else:
            self._change(lost=1 + self._now.lost)

    def _reserved(self, record: AttemptReserved) -> None:
        now, name = self._now, (record.call.id, record.call.attempt)
        self._unrecorded.add(name)
        fits = self._calls < self._most
        if fits:
            self._calls += 1
            self._records.append(record)
        else:
            self._dropped.add(name)
        self._change(calls=now.calls + 1, reserved=now.reserved + (record.cost or 0), dropped=now.dropped + (not fits))

    def _settled(self, record: AttemptSettled) -> None:
        now, name = self._now, (record.call_id, record.attempt)
        cost = record.cost or 0
        if name in self._unrecorded:
            self._unrecorded.discard(name)
            self._change(cost=now.cost + cost)
        if name in self._dropped:
            self._dropped.discard(name)
            self._change(dropped_cost=now.dropped_cost + cost)
        else:
            self._records.append(record)

    @property
    def _now(self) -> Outage:
        if self.outage is None:
            msg = "nothing is kept while the ledger can be written"
            raise RuntimeError(msg)
        return self.outage

    def _change(self, **fields: int) -> None:
        self.outage = msgspec.structs.replace(self._now, **fields)
