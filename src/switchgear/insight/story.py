"""The story of a call's admission, from its rows: which rules were asked, what is known of them, what was decided.

The ledger keeps the numbers of the rule that refused a call. Of rules that let a call pass it keeps that they
did, not what they had counted then: that is said, not made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from switchgear.insight.rule_item import RuleItem
from switchgear.money import format_usd, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from switchgear.calls import Reason, Unit
    from switchgear.insight.rule_item import RuleKind, RuleVerdict
    from switchgear.ledger.views import CallRow

__all__ = ["story_of"]

_ORDER: Final[tuple[RuleKind, ...]] = ("price", "limit", "breaker", "budget")
_DECIDERS: Final[dict[Reason, RuleKind]] = {
    "unpriced": "price",
    "rate_limit": "limit",
    "breaker": "breaker",
    "budget": "budget",
    "skip": "budget",
}
_NAMES: Final = {"limit": "limits", "breaker": "breaker", "budget": "budgets"}
_PASSED: Final = "passed; its numbers at that time are not recorded"


def story_of(rows: Sequence[CallRow]) -> tuple[RuleItem, ...]:
    """Return the rules that the last of *rows*, at least one, was asked of, in the order of asking.

    Rows are the attempts of one call, each admitted by itself; the last one decides what becomes of it.
    """
    row = rows[-1]
    decider = None if row.refused_by is None else _DECIDERS[row.refused_by]
    return tuple(item for kind in _ORDER for item in _items(kind, row, decider))


def _items(kind: RuleKind, row: CallRow, decider: RuleKind | None) -> Iterator[RuleItem]:
    if kind == decider:
        yield _decided(kind, row)
    elif decider is not None and _ORDER.index(kind) > _ORDER.index(decider):
        yield RuleItem(kind=kind, rule=_NAMES[kind], verdict="not_asked", text="not asked: the call was refused before")
    elif kind == "price":
        yield _price(row)
    elif kind == "limit":
        yield _limits(row)
    else:
        yield _passed(kind, row)


def _decided(kind: RuleKind, row: CallRow) -> RuleItem:
    facts: Mapping[str, Any] = row.refusal or {}
    unit: Unit | None = facts.get("unit")

    def amount(name: str) -> Any:  # noqa: ANN401 - Decimal or int
        number = facts.get(name)
        return to_usd(number) if unit == "usd" and isinstance(number, int) else number

    text = str(facts.get("message") or row.error or "refused; why is not recorded")
    return RuleItem(
        kind=kind,
        rule=str(facts.get("rule") or kind),
        verdict="refuse",
        decides=True,
        unit=unit,
        limit=amount("limit"),
        used=amount("used"),
        reserved=amount("reserved"),
        needed=amount("needed"),
        text=text,
    )


def _price(row: CallRow) -> RuleItem:
    if row.reserved is None:
        text = "no price was known; such calls are allowed, and are in no budget of money"
    else:
        by = row.price_version or "prices that are not recorded"
        text = f"worst case {format_usd(row.reserved)} by {by}"
    return RuleItem(
        kind="price",
        rule="price",
        verdict="pass",
        unit="usd",
        needed=None if row.reserved is None else to_usd(row.reserved),
        text=text,
    )


def _limits(row: CallRow) -> RuleItem:
    verdict: RuleVerdict = "wait" if row.waited_us else "pass"
    text = _PASSED
    if row.waited_us:
        text = f"waited {row.waited_us / 1e6:.3f} s in the queue; for which limit is not recorded"
    return RuleItem(kind="limit", rule="limits", verdict=verdict, text=text)


def _passed(kind: RuleKind, row: CallRow) -> RuleItem:
    if kind == "breaker":
        return RuleItem(kind="breaker", rule="breaker", verdict="pass", text=_PASSED)
    if row.degraded_from is not None:
        text = f"one had no room for {row.degraded_from}, so {row.model} went in its place; which one is not recorded"
        return RuleItem(kind="budget", rule="budgets", verdict="pass", text=text)
    if row.reserved is None:
        return RuleItem(kind="budget", rule="budgets", verdict="pass", text=_PASSED)
    text = f"each that matched had room for {format_usd(row.reserved)} at most; {_PASSED.partition('; ')[2]}"
    return RuleItem(kind="budget", rule="budgets", verdict="pass", unit="usd", needed=to_usd(row.reserved), text=text)
