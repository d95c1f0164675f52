"""One budget: how it got where it is, whether it will last, what it went on, who changed it, and another limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

import msgspec
from pydantic import Field

from switchgear.insight.budget_memory import BudgetMemory
from switchgear.insight.budget_story import (
    Part,
    PastPeriod,
    burn_rate,
    lasts_until,
    limit_in,
    line_of,
    past_periods,
    spent_in,
)
from switchgear.insight.days import to_micros
from switchgear.insight.forecast_budgets import BudgetForecast, foreseeable
from switchgear.insight.metrics import BudgetMetrics
from switchgear.ledger.views import CallFilter, CallRow, EventRow
from switchgear.money import to_nano
from switchgear.web.budget_chart import BudgetChart, budget_chart
from switchgear.web.budget_terms import BudgetTerms
from switchgear.web.commands import limit_of
from switchgear.web.deps import WebDeps
from switchgear.web.format import nano, tokens
from switchgear.web.problems import Problem
from switchgear.web.queries import ZoneQuery

__all__ = ["BudgetQuery", "Outlook", "budget_context"]

_PARTS: Final = ("layer", "model", "job")
_REFUSALS: Final = 5
_SEARCHED: Final = 200
_CHANGES: Final = 20


class BudgetQuery(ZoneQuery):
    """Of ``/budgets/NAME``."""

    value: str | None = None
    by: Annotated[Literal["layer", "model", "job"], Field(description="how what was spent is broken down")] = "layer"
    what_if: str | None = None
    changed: str | None = None


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """Until when another limit would last; *until* None: to the end of the period."""

    limit: int
    until: int | None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Where an account is going; None each where there is no number."""

    forecast: BudgetForecast
    chart: BudgetChart
    burn: int | None
    periods: tuple[PastPeriod, ...]
    what_if: WhatIf | None


def budget_context(
    deps: WebDeps, memory: BudgetMemory, config: BudgetTerms, accounts: Sequence[BudgetMetrics], query: BudgetQuery
) -> dict[str, Any]:
    """Return what the page of *config* shows; of several accounts the one that *query* names, else the fullest."""
    chosen = _chosen(accounts, query.value)
    money = config.limit_usd is not None
    amount: Callable[[int | None], str] = nano if money else tokens
    by = query.by
    return {
        "config": config,
        "accounts": accounts,
        "account": chosen,
        "outlook": None if chosen is None else _outlook(deps, memory, chosen, query, money=money),
        "foreseen": chosen is not None and foreseeable(chosen),
        "parts_of": _shared(() if chosen is None else memory.parts(chosen, by, now=deps.now())),
        "by": by,
        "by_links": [(name, _link(config.name, query, name)) for name in _PARTS],
        "refusals": _refusals(deps, config.name),
        "changes": _changes(deps, config.name),
        "amount": amount,
        "what_if": query.what_if or "",
        "changed": query.changed is not None,
        "editable": deps.commands is not None and config.changeable,
        "address": f"/budgets/{quote(config.name, safe='')}",
        "limit_input": _plain_limit(chosen, config),
    }


def _chosen(accounts: Sequence[BudgetMetrics], value: str | None) -> BudgetMetrics | None:
    if value is not None:
        found = next((each for each in accounts if each.value == value), None)
        if found is None and accounts:
            values = [each.value for each in accounts[:20] if each.value is not None]
            detail = f"This budget knows nobody called {value!r}. Some that it knows: {', '.join(values) or 'none'}."
            raise Problem(404, detail, key="value", valid=values)
        return found
    return max(accounts, key=lambda each: each.used_percent, default=None)


def _outlook(
    deps: WebDeps, memory: BudgetMemory, account: BudgetMetrics, query: BudgetQuery, *, money: bool
) -> Outlook | None:
    if not foreseeable(account):
        return None
    found = memory.outlooks.one(account, now=deps.now())
    if found is None:
        return None
    limit, spent = limit_in(account), spent_in(account)
    what_if = None
    if query.what_if:
        given = limit_of("usd" if money else "tokens", query.what_if)
        other = to_nano(given) if money else int(given)
        what_if = WhatIf(limit=other, until=lasts_until(found, other, spent))
    forecast = found.forecast
    return Outlook(
        forecast=forecast,
        chart=budget_chart(
            line_of(found, account),
            start=to_micros(forecast.period_start),
            end=to_micros(forecast.period_end),
            limit=limit,
            thresholds=account.thresholds,
        ),
        burn=burn_rate(found),
        periods=past_periods(found, deps.zone),
        what_if=what_if,
    )


def _shared(parts: Sequence[Part] | None) -> tuple[tuple[Part, float | None], ...] | None:
    if parts is None:
        return None
    whole = sum(part.used for part in parts)
    return tuple((part, part.used / whole if whole else None) for part in parts)


def _refusals(deps: WebDeps, name: str) -> list[CallRow]:
    """Return the newest calls that this budget turned away, of the newest refusals of all budgets."""
    rows: list[CallRow] = []
    for reason in ("budget", "skip"):
        found = deps.reader.calls(CallFilter(status="refused", refused_by=reason), limit=_SEARCHED).items
        rows += [row for row in found if row.refusal and row.refusal.get("rule") == name]
    return sorted(rows, key=lambda row: -row.started_at)[:_REFUSALS]


def _changes(deps: WebDeps, name: str) -> list[EventRow]:
    kinds = ("budget_changed", "budget_crossed")
    found = [event for kind in kinds for event in deps.reader.trail.about(kind, name, limit=_CHANGES)]
    return sorted(found, key=lambda event: -event.at)[:_CHANGES]


def _link(name: str, query: BudgetQuery, by: str) -> str:
    value = {} if query.value is None else {"value": query.value}
    return f"/budgets/{quote(name, safe='')}?{urlencode({**value, 'by': by})}#where"


def _plain_limit(account: BudgetMetrics | None, config: BudgetTerms) -> str:
    if account is not None:
        usd: Decimal | None = account.limit_usd
        return f"{usd.normalize():f}" if usd is not None else str(account.limit_tokens)
    return f"{config.limit_usd.normalize():f}" if config.limit_usd is not None else str(config.limit_tokens)
