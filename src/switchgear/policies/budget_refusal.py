"""A budget's no, as a *Refusal*: in the same words from every backend and from a budget alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.money import format_usd

if TYPE_CHECKING:
    from switchgear.calls import Reason
    from switchgear.clock import Moment
    from switchgear.policies.budget import BudgetRule, Pot

__all__ = ["BudgetDenial", "denial_of", "over_budget"]


class BudgetDenial(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a no.

    Attributes:
        value: the job (or other value) whose pot it was, for a budget with ``each``.
        spent: what is settled; *reserved*: what calls in flight hold; *need*: what this call would.
        period_end: epoch microseconds when a calendar period ends; None: no such end.
        ready_at: monotonic microseconds when *need* will fit into a rolling budget; None: not foreseeable.
    """

    value: str | None
    spent: int
    reserved: int
    need: int
    period_end: int | None
    ready_at: int | None


def denial_of(pot: Pot, value: str | None, need: int, now: Moment) -> BudgetDenial:
    """Return why *need* does not fit into *pot*, which is that of *value*."""
    return BudgetDenial(
        value=value,
        spent=pot.spent(now.mono),
        reserved=pot.reserved,
        need=need,
        period_end=pot.period.end,
        ready_at=pot.ready_at(need, now.mono),
    )


def over_budget(service: str, rule: BudgetRule, denial: BudgetDenial, now: Moment) -> Refusal:
    """Return the refusal of a budget.

    A retry is foreseen where time alone makes room: not where calls in flight hold it, nor for a
    call that is larger than the limit.
    """
    reason: Reason = "skip" if rule.action == "skip" else "budget"
    wait = _wait(rule, denial, now)
    return Refusal(
        reason=reason,
        rule=rule.name,
        service=service,
        message=_story(rule, denial),
        unit=rule.unit,
        limit=rule.limit,
        used=denial.spent,
        reserved=denial.reserved,
        needed=denial.need,
        retry_after=None if wait is None else wait / MICROS,
        retry_at=None if wait is None else (now.wall + wait) / MICROS,
    )


def _wait(rule: BudgetRule, denial: BudgetDenial, now: Moment) -> int | None:
    if denial.need > rule.limit:
        return None
    if denial.period_end is not None and denial.spent + denial.need > rule.limit:
        return max(0, denial.period_end - now.wall)
    return None if denial.ready_at is None else max(0, denial.ready_at - now.mono)


def _story(rule: BudgetRule, denial: BudgetDenial) -> str:
    def show(number: int) -> str:
        return format_usd(number) if rule.unit == "usd" else f"{number:,} tokens"

    name = rule.name if denial.value is None else f"{rule.name} ({rule.each} {denial.value})"
    verdict = "is exceeded" if denial.spent > rule.limit else "has no room for this call"
    needs = "worst case" if rule.reserve == "worst_case" else "expected (a soft limit)"
    this = f"{needs} {show(denial.need)}, " if denial.need else ""
    return (
        f"budget {name} {verdict}: {this}"
        f"{show(denial.spent)} spent and {show(denial.reserved)} reserved of {show(rule.limit)}"
    )
