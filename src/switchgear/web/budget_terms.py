"""What a budget is, wherever it comes from: the configuration, a Switchgear key, or a run under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from switchgear.config.model import Config
from switchgear.insight.metrics import BudgetMetrics
from switchgear.money import to_usd
from switchgear.web.problems import Problem

__all__ = ["BudgetTerms", "terms_of"]

_KEY = "key:"


class BudgetTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The rule of a budget; one of *limit_usd* and *limit_tokens* is None.

    *changeable*: an operator may give it another limit; that of a run is the run's own.
    """

    name: str
    match: Mapping[str, str]
    each: str | None
    period: str
    action: str
    reserve: str
    thresholds: Sequence[float]
    shadow: bool
    limit_usd: Decimal | None
    limit_tokens: int | None
    changeable: bool = True

    @property
    def unit(self) -> str:
        """What the budget counts: ``usd`` or ``tokens``."""
        return "usd" if self.limit_usd is not None else "tokens"


def terms_of(config: Config, accounts: Sequence[BudgetMetrics], name: str) -> BudgetTerms:
    """Return the terms of budget *name*, of those of *config* and of the live *accounts*.

    Raises:
        Problem: 404; there is no such budget.
    """
    for budget in config.budgets:
        if budget.name == name:
            return BudgetTerms(
                name=name,
                match=dict(budget.match),
                each=budget.each,
                period=budget.period,
                action=budget.action,
                reserve=budget.reserve,
                thresholds=budget.thresholds,
                shadow=budget.shadow,
                limit_usd=None if budget.limit_usd is None else to_usd(budget.limit_usd),
                limit_tokens=budget.limit_tokens,
            )
    for account in accounts:
        if account.name == name:
            return BudgetTerms(
                name=name,
                match=account.match,
                each=account.each,
                period=account.period,
                action=account.kind,
                reserve=account.reserve,
                thresholds=account.thresholds,
                shadow=account.shadow,
                limit_usd=account.limit_usd,
                limit_tokens=account.limit_tokens,
                changeable=name.startswith(_KEY),
            )
    known = list(dict.fromkeys([*(each.name for each in config.budgets), *(each.name for each in accounts)]))
    detail = f"There is no budget {name!r}. Known budgets: {', '.join(known) or 'none'}."
    raise Problem(404, detail, valid=known)
