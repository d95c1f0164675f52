"""The settings of a budget as people pass them, checked and made into a rule."""

from __future__ import annotations

import zoneinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from switchgear.durations import format_duration
from switchgear.money import to_nano
from switchgear.policies.budget import BudgetRule
from switchgear.standalone.arguments import duration_us, share, whole

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

__all__ = ["Amount", "budget_rule"]

Amount = Decimal | int | str
"""Money as Decimal, int or decimal string of USD; tokens as int. Never a float."""

_CALENDAR: Final = ("total", "hour", "day", "week", "month")
_ACTIONS: Final = ("fail", "warn", "skip")


def budget_rule(
    *,
    name: str,
    limit_usd: Amount | None,
    limit_tokens: int | None,
    period: str | float | dt.timedelta,
    action: Literal["fail", "warn", "skip"],
    thresholds: Sequence[float],
    timezone: str | None,
) -> BudgetRule:
    """Return the rule of these settings; see *Budget* for what each means and what is raised."""
    rolling = _rolling(period)
    return BudgetRule(
        name=_name(name),
        unit="tokens" if limit_usd is None else "usd",
        limit=_limit(limit_usd, limit_tokens),
        period=str(period) if rolling is None else format_duration(rolling),
        rolling_us=rolling,
        timezone=_zone(timezone),
        action=_action(action),
        thresholds=tuple(share("a threshold", one) for one in thresholds),
    )


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        msg = f"a budget's name is one line of text, not {name!r}"
        raise ValueError(msg)
    return name


def _limit(usd: Amount | None, tokens: int | None) -> int:
    if (usd is None) == (tokens is None):
        msg = "a budget has one limit: limit_usd or limit_tokens" + ("" if usd is None else ", not both")
        raise ValueError(msg)
    if usd is None:
        return whole("limit_tokens", tokens)
    limit = to_nano(usd)
    if limit <= 0:
        msg = f"limit_usd is greater than 0, not {usd!r}"
        raise ValueError(msg)
    return limit


def _rolling(period: str | float | dt.timedelta) -> int | None:
    """Return a rolling period in microseconds, None for a calendar one."""
    if period in _CALENDAR:
        return None
    try:
        return duration_us("period", period)
    except ValueError:
        msg = f'a period is one of {", ".join(_CALENDAR)}, or a rolling duration such as "24h", not {period!r}'
        raise ValueError(msg) from None


def _zone(timezone: str | None) -> str:
    name = "UTC" if timezone is None else timezone
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        msg = f'unknown time zone {name!r}; a name is such as "Europe/Vienna"'
        raise ValueError(msg) from None
    return name


def _action(action: str) -> Literal["fail", "warn", "skip"]:
    if action not in _ACTIONS:
        msg = f"the action of a budget is one of {', '.join(_ACTIONS)}, not {action!r}"
        raise ValueError(msg)
    return action  # type: ignore[return-value]  # one of the three by now
