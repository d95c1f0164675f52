"""From the terms of a key to rules: what the state is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.model import CALENDAR_PERIODS
from switchgear.durations import parse_duration
from switchgear.governor.rules import LIMITS
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule

if TYPE_CHECKING:
    from switchgear.ledger.key_rows import Key, KeyTerms

__all__ = ["key_budget", "key_limits", "scope_of"]

_KEY: Final = "key:"


def scope_of(key: str) -> str:
    """Return what the limits and the budget of *key* go by."""
    return _KEY + key


def key_limits(terms: KeyTerms) -> tuple[LimitRule, ...]:
    """Return the limits that a key with *terms* has of its own."""
    return tuple(
        LimitRule(name=name, unit=unit, limit=limit, window_us=window)
        for name, unit, window in LIMITS
        if (limit := getattr(terms, name)) is not None
    )


def key_budget(key: Key, timezone: str) -> BudgetRule | None:
    """Return the budget of *key*, its periods cut in *timezone*; None: it has none."""
    terms = key.terms
    limit = terms.limit_usd if terms.limit_usd is not None else terms.limit_tokens
    if limit is None:
        return None
    return BudgetRule(
        name=scope_of(key.name),
        unit="usd" if terms.limit_usd is not None else "tokens",
        limit=limit,
        match=(("key", key.name),),
        period=terms.period,
        rolling_us=None if terms.period in CALENDAR_PERIODS else parse_duration(terms.period),
        timezone=timezone,
    )
