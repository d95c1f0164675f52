"""From the ledger's sums to metrics: one period, and its shares by service, provider, model, layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.insight.days import from_micros
from switchgear.insight.metrics import RecentCalls, TokenMetrics, TokenShare
from switchgear.ledger.views import Totals
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Literal

__all__ = ["by_service", "recent_calls", "token_metrics"]

_COUNTS: Final = (
    "calls",
    "ok",
    "failed",
    "refused",
    "cancelled",
    "orphaned",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost",
    "unpriced",
    "estimated",
)


def token_metrics(
    rows: Sequence[Totals],
    *,
    period: Literal["today", "month"],
    since: int,
    until: int,
    providers: Mapping[str, str],
) -> TokenMetrics:
    """Return the metrics of a period from sums by service, model and layer.

    *providers* names the provider of each service; a service that is not in it is its own.
    """
    sums = _sums(rows)
    cost = sums.pop("cost")

    def service(row: Totals) -> str | None:
        return row.group.get("service")

    def provider(row: Totals) -> str | None:
        name = service(row)
        return None if name is None else providers.get(name, name)

    return TokenMetrics(
        period=period,
        since=from_micros(since),
        until=from_micros(until),
        cost_usd=to_usd(cost),
        by_service=_shares(rows, service),
        by_provider=_shares(rows, provider),
        by_model=_shares(rows, lambda row: row.group.get("model")),
        by_layer=_shares(rows, lambda row: row.group.get("layer")),
        **sums,
    )


def recent_calls(rows: Iterable[Totals], *, since: int, until: int, p95_us: int | None = None) -> RecentCalls:
    """Return how the calls of *rows* went."""
    sums = _sums(rows)
    answered = sums["ok"] + sums["failed"]
    return RecentCalls(
        since=from_micros(since),
        until=from_micros(until),
        ok=sums["ok"],
        failed=sums["failed"],
        refused=sums["refused"],
        error_rate=sums["failed"] / answered if answered else None,
        p95_ms=None if p95_us is None else p95_us / 1000,
    )


def by_service(rows: Iterable[Totals]) -> tuple[Totals, ...]:
    """Return *rows* added up for each service."""
    groups: dict[str | None, list[Totals]] = {}
    for row in rows:
        groups.setdefault(row.group["service"], []).append(row)
    return tuple(Totals(group={"service": name}, **_sums(group)) for name, group in groups.items())


def _shares(rows: Iterable[Totals], name: Callable[[Totals], str | None]) -> tuple[TokenShare, ...]:
    groups: dict[str | None, list[Totals]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    shares = [_share(key, group) for key, group in groups.items()]
    return tuple(sorted(shares, key=lambda share: (-share.cost_usd, -share.calls, share.name or "")))


def _share(name: str | None, rows: Iterable[Totals]) -> TokenShare:
    sums = _sums(rows)
    return TokenShare(
        name=name,
        calls=sums["calls"],
        ok=sums["ok"],
        failed=sums["failed"],
        refused=sums["refused"],
        input_tokens=sums["input_tokens"],
        output_tokens=sums["output_tokens"],
        cache_read_tokens=sums["cache_read_tokens"],
        cost_usd=to_usd(sums["cost"]),
        unpriced=sums["unpriced"],
        estimated=sums["estimated"],
    )


def _sums(rows: Iterable[Totals]) -> dict[str, int]:
    sums = dict.fromkeys(_COUNTS, 0)
    for row in rows:
        for name in _COUNTS:
            sums[name] += getattr(row, name)
    return sums
