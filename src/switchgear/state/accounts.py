"""The budgets of a state in memory: what is held in which pot, for whom. Its owner locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.events import BudgetCrossed, ShadowExceeded
from switchgear.policies.budget_refusal import denial_of, over_budget
from switchgear.policies.pots import Pots
from switchgear.state.base import Account, BudgetView
from switchgear.state.explanation import BudgetAsked
from switchgear.state.shading import turned_away

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchgear.calls import Refusal
    from switchgear.clock import Moment
    from switchgear.policies.budget import BudgetRule, Pot
    from switchgear.state.base import AdmissionRequest, PastLimit, PastSpend

__all__ = ["Accounts", "Hold"]


class Hold:
    """What one call holds, or would hold, in one pot."""

    __slots__ = ("account", "amount", "pot", "pots")

    def __init__(self, account: Account, pots: Pots, pot: Pot, amount: int) -> None:
        self.account: Final = account
        self.pots: Final = pots
        self.pot: Final = pot
        self.amount = amount


class Accounts:
    """Every budget with its pots.

    Attributes:
        shaded: what the last *room* has found no room for in shadow budgets, until *shade* or *leave*.
    """

    def __init__(self, rules: Iterable[BudgetRule], now: Moment) -> None:
        self._configured = {rule.name: rule for rule in rules}
        self._budgets = {name: Pots(rule, now) for name, rule in self._configured.items()}
        self.shaded: list[Hold] = []

    @property
    def shades(self) -> bool:
        """Whether any budget is a shadow budget."""
        return any(rule.shadow for rule in self._configured.values())

    def add(self, rule: BudgetRule, past: PastSpend | None, now: Moment) -> None:
        """Keep one more budget, of which *past* is spent."""
        if rule.name not in self._budgets:
            self._configured[rule.name] = rule
            self._budgets[rule.name] = Pots(rule, now)
            self.restore((), () if past is None else (past,), now)

    def drop(self, name: str) -> None:
        """Keep budget *name* no longer. What calls in flight hold of it ends with them."""
        self._configured.pop(name, None)
        self._budgets.pop(name, None)

    def room(self, request: AdmissionRequest, now: Moment) -> list[Hold] | Refusal:
        """Return what *request* would hold, or the first budget's no. Then either *hold* it or *leave* it."""
        holds: list[Hold] = []
        for account in request.accounts:
            pots = self._budgets.get(account.budget)
            if pots is None:
                continue
            rule, pot = pots.rule, pots.at(account.value, now)
            if rule.reserve == "worst_case":
                amount = request.tokens if rule.unit == "tokens" else request.cost or 0
            else:
                amount = _expected(rule, request)
            holds.append(Hold(account, pots, pot, amount))
            if not pot.fits(amount, now.mono):
                if rule.shadow:
                    self.shaded.append(holds.pop())
                    continue
                if not (request.can_degrade and pots.rule.action == "degrade"):
                    pot.refused += 1
                refusal = _refusal(request.service, holds[-1], amount, now)
                self.leave(holds, now)
                return refusal
        return holds

    def look(self, request: AdmissionRequest, now: Moment) -> tuple[BudgetAsked, ...]:
        """Return what *room* would find in each budget; nothing is held or counted."""
        asked: list[BudgetAsked] = []
        for account in request.accounts:
            pots = self._budgets.get(account.budget)
            if pots is None:
                continue
            pot = pots.peek(account.value, now)
            needed = _needed(pots.rule, request)
            hold = Hold(account, pots, pot, needed)
            refusal = None if pot.fits(needed, now.mono) else _refusal(request.service, hold, needed, now)
            asked.append(BudgetAsked(view=_view(account, pot, now), needed=needed, refusal=refusal))
        return tuple(asked)

    def hold(self, holds: Sequence[Hold]) -> None:
        """Reserve what *room* has found room for."""
        for hold in holds:
            hold.pot.reserve(hold.amount)

    def shade(self, service: str, now: Moment) -> list[ShadowExceeded]:
        """Count the call that goes where shadow budgets would have turned it away; return what is to be told."""
        shaded, self.shaded = self.shaded, []
        events: list[ShadowExceeded] = []
        for hold in shaded:
            events += turned_away(service, hold.account, hold.pot, hold.amount, now)
        self.leave(shaded, now)
        return events

    def leave(self, holds: Sequence[Hold], now: Moment) -> None:
        """Forget pots that nothing is held in and nothing was counted in."""
        if self.shaded:
            holds, self.shaded = [*holds, *self.shaded], []
        for hold in holds:
            if hold.account.value is not None:
                hold.pots.leave(hold.account.value, hold.pot, now)

    def release(self, holds: Sequence[Hold], now: Moment) -> None:
        """Give everything back."""
        for hold in holds:
            hold.pot.release(hold.amount)
        self.leave(holds, now)

    def settle(self, holds: Sequence[Hold], cost: int | None, tokens: int, now: Moment) -> list[BudgetCrossed]:
        """Replace what is held by what was used; return the crossings."""
        events: list[BudgetCrossed] = []
        for hold in holds:
            pot = hold.pot
            shares = pot.settle(hold.amount, cost if pot.rule.unit == "usd" else tokens, now.mono)
            if shares:
                events += _crossings(hold.account, pot, shares, now)
            if hold.account.value is not None:
                hold.pots.leave(hold.account.value, hold.pot, now)
        return events

    def extend(self, service: str, holds: Sequence[Hold], cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        """Hold as much as *cost* and *tokens* in each budget that reserves the worst case, or say which can't."""
        found = [(hold, (tokens if hold.pot.rule.unit == "tokens" else cost or 0) - hold.amount) for hold in holds]
        short = [
            (hold, more)
            for hold, more in found
            if more > 0 and hold.pot.rule.reserve == "worst_case" and not hold.pot.rule.shadow
        ]
        for hold, more in short:
            if not hold.pot.fits(more, now.mono):
                hold.pot.refused += 1
                return _refusal(service, hold, more, now)
        for hold, more in short:
            hold.pot.extend(more)
            hold.amount += more
        return None

    def set_limit(self, budget: str, limit: int, now: Moment) -> tuple[int, list[BudgetCrossed]]:
        """Change the limit of *budget*; return the old one and the crossings of the new one."""
        pots = self._budgets[budget]
        old = pots.rule.limit
        events: list[BudgetCrossed] = []
        for value, pot, shares in pots.change(limit, now):
            events += _crossings(Account(budget, value), pot, shares, now)
        return old, events

    def reconfigure(
        self, rules: Iterable[BudgetRule], limits: Iterable[PastLimit], spend: Iterable[PastSpend], now: Moment
    ) -> list[BudgetCrossed]:
        """Hold to *rules*; return the crossings of limits that are lower now.

        A budget that counts what it counted goes on counting, with the limit that somebody has set
        as long as the configured one is the same. Any other begins with what is remembered of it.
        """
        events: list[BudgetCrossed] = []
        old, self._configured = self._configured, {rule.name: rule for rule in rules}
        kept: dict[str, Pots] = {}
        for name, rule in self._configured.items():
            before = old.get(name)
            if before is None or before.counted != rule.counted:
                continue
            pots = kept[name] = self._budgets[name]
            limit = pots.rule.limit if rule.limit == before.limit else rule.limit
            for value, pot, shares in pots.adopt(msgspec.structs.replace(rule, limit=limit), now):
                events += _crossings(Account(name, value), pot, shares, now)
        new = {name: Pots(rule, now) for name, rule in self._configured.items() if name not in kept}
        _remember(new, limits, spend, now)
        self._budgets = kept | new
        return events

    def restore(self, limits: Iterable[PastLimit], spend: Iterable[PastSpend], now: Moment) -> None:
        """Take over what is remembered; budgets that are configured no more are left out."""
        _remember(self._budgets, limits, spend, now)

    def views(self, now: Moment) -> tuple[BudgetView, ...]:
        """Return one view for each account, sorted."""
        views = [
            _view(Account(name, value), pot, now)
            for name, pots in self._budgets.items()
            for value, pot in pots.pots(now)
        ]
        return tuple(sorted(views, key=lambda view: (view.budget, view.value or "")))


def _needed(rule: BudgetRule, request: AdmissionRequest) -> int:
    if rule.reserve == "expected":
        return _expected(rule, request)
    return request.tokens if rule.unit == "tokens" else request.cost or 0


def _remember(
    budgets: Mapping[str, Pots], limits: Iterable[PastLimit], spend: Iterable[PastSpend], now: Moment
) -> None:
    for changed in limits:
        if changed.budget in budgets:
            budgets[changed.budget].change(changed.limit, now)
    for past in spend:
        pots = budgets.get(past.account.budget)
        if pots is not None:
            amount = past.cost if pots.rule.unit == "usd" else past.tokens
            pots.remember(past.account.value, amount, past.unpriced, now)


def _expected(rule: BudgetRule, request: AdmissionRequest) -> int:
    usd = rule.unit == "usd"
    expected = request.expected_cost if usd else request.expected_tokens
    if expected is not None:
        return expected
    return request.cost or 0 if usd else request.tokens


def _refusal(service: str, hold: Hold, need: int, now: Moment) -> Refusal:
    return over_budget(service, hold.pot.rule, denial_of(hold.pot, hold.account.value, need, now), now)


def _crossings(account: Account, pot: Pot, shares: tuple[float, ...], now: Moment) -> list[BudgetCrossed]:
    return [
        BudgetCrossed(
            budget=account.budget,
            value=account.value,
            threshold=share,
            used=pot.spent(now.mono),
            limit=pot.rule.limit,
            unit=pot.rule.unit,
            at=now.wall,
            shadow=pot.rule.shadow,
        )
        for share in shares
    ]


def _view(account: Account, pot: Pot, now: Moment) -> BudgetView:
    rule = pot.rule
    return BudgetView(
        budget=account.budget,
        value=account.value,
        kind=rule.action,
        unit=rule.unit,
        limit=rule.limit,
        spent=pot.spent(now.mono),
        reserved=pot.reserved,
        period=rule.period,
        period_start=pot.period.start,
        period_end=pot.period.end,
        thresholds=rule.thresholds,
        unpriced=pot.unpriced,
        refused=pot.refused,
        reserve=rule.reserve,
        shadow=rule.shadow,
    )
