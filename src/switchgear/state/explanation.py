"""What a state would say to a call, and every number that it would look at: the answer to *explain*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.state.base import BreakerView, BudgetView, LimitView

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BreakerAsked", "BudgetAsked", "Explanation", "LimitAsked", "explained"]


class LimitAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One limit, as the call meets it.

    Attributes:
        needed: what the call takes of it.
        ready_at: epoch microseconds when it has room by this limit alone, those in line not counted;
            None: it has room now, or when is not foreseeable.
    """

    view: LimitView
    needed: int
    ready_at: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room now, those in line not counted."""
        return self.view.used + self.needed <= self.view.limit


class BreakerAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The circuit, as the call meets it. *passes*: it lets the call go, as a trial call where it is probing."""

    view: BreakerView
    passes: bool


class BudgetAsked(msgspec.Struct, frozen=True, kw_only=True):
    """One budget, as the call meets it.

    Attributes:
        needed: what the call would reserve.
        refusal: what it would say by itself; None: it has room, or is only watched.
    """

    view: BudgetView
    needed: int
    refusal: Refusal | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What *admit* would answer now. Rules are in the order of asking: limits, breaker, budgets.

    Attributes:
        verdict: ``pass``: goes at once; ``wait``: gets a place in the queue; ``refuse``.
        rule: the one that decides, None where all let it pass.
        refusal: as *admit* would give it.
        go_at: epoch microseconds when it goes, or when a refused one may; None: not foreseeable.
        at: epoch microseconds of the question.
        max_wait: how many microseconds the caller would wait for a limit.
    """

    verdict: Literal["pass", "wait", "refuse"]
    rule: str | None
    refusal: Refusal | None
    go_at: int | None
    at: int
    max_wait: int
    limits: tuple[LimitAsked, ...]
    breaker: BreakerAsked
    budgets: tuple[BudgetAsked, ...]


def explained(
    *,
    at: int,
    max_wait: int,
    waits: tuple[str, int | None] | None,
    refusal: Refusal | None,
    limits: Sequence[LimitAsked],
    breaker: BreakerAsked,
    budgets: Sequence[BudgetAsked],
) -> Explanation:
    """Return the explanation; *waits*: the limit that a call waits for which nothing refuses, and until when."""
    if refusal is not None:
        when = None if refusal.retry_at is None else round(refusal.retry_at * MICROS)
        return Explanation(
            verdict="refuse",
            rule=refusal.rule,
            refusal=refusal,
            go_at=when,
            at=at,
            max_wait=max_wait,
            limits=tuple(limits),
            breaker=breaker,
            budgets=tuple(budgets),
        )
    rule, go_at = waits if waits is not None else (None, at)
    return Explanation(
        verdict="pass" if waits is None else "wait",
        rule=rule,
        refusal=None,
        go_at=go_at,
        at=at,
        max_wait=max_wait,
        limits=tuple(limits),
        breaker=breaker,
        budgets=tuple(budgets),
    )
