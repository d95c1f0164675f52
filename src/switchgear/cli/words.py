"""Numbers, times and states as the command line writes them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from switchgear.cli.output import Cell, text_of
from switchgear.money import format_usd, to_nano

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from switchgear.cli.output import Tone

__all__ = [
    "breaker_cell",
    "breaker_story",
    "clock_time",
    "health_cell",
    "instant",
    "limit_text",
    "outcome_cell",
    "share",
    "span",
    "tokens",
    "usd",
]

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))
# From here on the unit below would be rounded to "1000 ms" and "10.0 s".
_TURNS_ONE_SECOND: Final = 0.9995
_TURNS_TEN_SECONDS: Final = 9.95

_BREAKERS: Final[dict[str, Cell]] = {
    "closed": Cell("closed", "ok"),
    "open": Cell("OPEN", "crit"),
    "half_open": Cell("PROBING", "probe"),
    "forced_open": Cell("FORCED OPEN", "crit"),
    "disabled": Cell("disabled", "idle"),
    "metrics_only": Cell("metrics only", "idle"),
}
_HEALTH: Final[dict[str, Tone]] = {"healthy": "ok", "degraded": "warn", "unhealthy": "crit"}
_RULES: Final = {
    "requests_per_minute": "req/min",
    "requests_per_day": "req/day",
    "tokens_per_minute": "tok/min",
    "tokens_per_day": "tok/day",
    "concurrent": "in flight",
}
_OUTCOMES: Final[dict[str, Cell]] = {
    "ok": Cell("ok", "ok"),
    "failed": Cell("failed", "crit"),
    "cancelled": Cell("cancelled", "idle"),
    "orphaned": Cell("orphaned", "warn"),
    "reserved": Cell("in flight", "probe"),
}
_REASONS: Final = {"skip": "skipped: budget", "rate_limit": "refused: rate limit"}


def usd(amount: str | None) -> str:
    """Return a decimal string of USD as people write it; ``-`` for None."""
    return format_usd(None if amount is None else to_nano(amount))


def tokens(count: int | None) -> str:
    """Return a count with its thousands apart; ``-`` for None."""
    return "-" if count is None else f"{count:,}"


def share(part: int, whole: int) -> str:
    """Return ``3 (0.7 %)``, or only the number where a percentage says nothing."""
    if not part or not whole:
        return f"{part:,}"
    return f"{part:,} ({Decimal(part) / whole * 100:.1f} %)"


def span(seconds: float | None) -> str:
    """Return a span in its largest unit: ``120 ms``, ``2.1 s``, ``41 s``, ``4 min``, ``9 h``, ``3 d``."""
    if seconds is None:
        return "-"
    if seconds < _TURNS_ONE_SECOND:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _TURNS_TEN_SECONDS:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    size, unit = next((one for one in _UNITS if whole >= one[0]), (1, "s"))
    return f"{whole // size} {unit}"


def instant(text: str | None) -> dt.datetime | None:
    """Return an RFC 3339 text as a datetime."""
    return None if text is None else dt.datetime.fromisoformat(text)


def clock_time(text: str | None, zone: ZoneInfo, now: dt.datetime) -> str:
    """Return ``14:03:07``, with the day before it when that is not today in *zone*; ``-`` for None."""
    at = instant(text)
    if at is None:
        return "-"
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M:%S}"


def health_cell(status: str) -> Cell:
    """Return the overall status as a word."""
    return Cell(status.upper(), _HEALTH.get(status))


def breaker_cell(state: str) -> Cell:
    """Return the state of a breaker as a word; capitals where traffic does not flow."""
    return _BREAKERS.get(state, Cell(text_of(state)))


def breaker_story(breaker: Mapping[str, Any], now: dt.datetime) -> str:
    """Return what the state of *breaker* means for a call that comes now."""
    state = breaker["state"]
    if state == "open":
        probe = instant(breaker["next_probe_at"])
        left = 0.0 if probe is None else (probe - now).total_seconds()
        return f"refusing calls, next probe in {span(left)}" if left > 0 else "the next call is a probe"
    if state == "half_open":
        return f"{breaker['probes']} of {breaker['max_probes']} trial calls under way"
    stories = {
        "forced_open": "refusing calls until an operator closes it",
        "disabled": "traffic flows unguarded",
        "metrics_only": "traffic flows, and what would open the circuit is told",
    }
    return stories.get(state, "traffic flows")


def limit_text(limit: Mapping[str, Any]) -> str:
    """Return ``43/60 req/min``."""
    rule = str(limit["rule"])
    text = f"{limit['used']:,}/{limit['limit']:,} {_RULES.get(rule, rule)}"
    return f"{text} (shadow)" if limit.get("shadow") else text


def outcome_cell(status: str, refused_by: str | None) -> Cell:
    """Return how an attempt ended, and for a refusal which kind of rule it was."""
    if refused_by is not None:
        return Cell(_REASONS.get(refused_by, f"refused: {refused_by}"), "warn")
    return _OUTCOMES.get(status, Cell(status))
