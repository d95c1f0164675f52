"""What a back-test has found: what happened beside what would have happened, and who would have felt it."""

from __future__ import annotations

import msgspec

from switchgear.calls import Reason

__all__ = ["BacktestReport", "JobEffect", "RuleEffect", "Side"]


class Side(msgspec.Struct, kw_only=True):
    """One of the two courses of things.

    Attributes:
        went_out: attempts that left.
        refused: attempts that the gate turned away, by reason.
        waited: attempts that were made to wait, and then left; *waited_us* in all, *longest_us* the longest.
        cost: nano-USD; *unpriced* attempts are not in it.
        estimated: of *cost*, what is estimated because these attempts never went out in fact.
    """

    went_out: int = 0
    refused: dict[Reason, int] = {}
    waited: int = 0
    waited_us: int = 0
    longest_us: int = 0
    cost: int = 0
    unpriced: int = 0
    estimated: int = 0


class RuleEffect(msgspec.Struct, kw_only=True):
    """What one rule does to attempts that went out at once in fact.

    Attributes:
        service: of a limit or a breaker; None for a budget.
        refused: how many it would have turned away; *saved*: what those did cost in fact, nano-USD.
        delayed: how many it would have made wait.
        first_at: when it would have said no for the first time, epoch microseconds.
    """

    reason: Reason
    service: str | None
    rule: str
    refused: int = 0
    saved: int = 0
    delayed: int = 0
    first_at: int | None = None


class JobEffect(msgspec.Struct, kw_only=True):
    """What one job would have felt; *refused*, *delayed* and *longer_us* beyond what it felt in fact."""

    job: str | None
    calls: int = 0
    refused: int = 0
    delayed: int = 0
    longer_us: int = 0
    saved: int = 0


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        since: of the first attempt, epoch microseconds; *until*: of the last. None: there were none.
        attempts: how many were replayed.
        happened: what the ledger says; *replayed*: what the other rules would have done.
        newly_refused: attempts that went out in fact and would not have; *saved*: their cost, nano-USD.
        not_made: further attempts of such calls, which nobody would have made; their cost is in *saved*.
        newly_let_out: attempts that were refused in fact and would have gone out.
        later: attempts that would have waited longer; *longer_us* in all.
        rules: by how much they refuse and delay, the hardest first.
        jobs: those that are hurt, the most hurt first.
        unknown: attempts of services that the configuration does not have, which were left out.
    """

    since: int | None
    until: int | None
    attempts: int
    happened: Side
    replayed: Side
    newly_refused: int
    not_made: int
    saved: int
    newly_let_out: int
    later: int
    longer_us: int
    rules: tuple[RuleEffect, ...]
    jobs: tuple[JobEffect, ...]
    unknown: dict[str, int]
