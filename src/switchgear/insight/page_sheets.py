"""The tables of Calls, Services and Budgets as programs and spreadsheets read them: the pages' own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.insight.call_item import CallItem
from switchgear.insight.forecast_budgets import BudgetForecast  # noqa: TC001 - msgspec reads the fields' types
from switchgear.insight.metrics import BudgetMetrics, CircuitBreakerMetrics, RateLimitMetrics, plain
from switchgear.insight.service_item import ServiceItem, ServiceList
from switchgear.insight.sheets import csv_name, csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchgear.config.model import Config
    from switchgear.insight.metrics import MetricsSnapshot
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.insight.sources import CallLedger

__all__ = ["BudgetLine", "BudgetLines", "ServiceLine", "ServiceLines", "budgets_csv", "calls_csv", "services_csv"]

_HOUR: Final = 3600 * MICROS
_SHARES: Final = (0.5, 0.95)
_BREAKER: Final = tuple(name for name in CircuitBreakerMetrics.__struct_fields__ if name not in {"service", "critical"})
_SERVICE: Final = ("name", "kind", "provider", "critical", "path", "calls", "failed", "refused", "p50_ms", "p95_ms")
_LIMIT: Final = ("used", "limit", "waiting", "free_at")
_BUDGET: Final = tuple(name for name in BudgetMetrics.__struct_fields__ if name not in {"match", "thresholds"})
_FORECAST: Final = ("expected_usd", "expected_tokens", "exhaustion", "exhausted_at", "method", "note")
_BAND: Final = ("low_usd", "high_usd", "low_tokens", "high_tokens")


class ServiceLine(ServiceItem, frozen=True, kw_only=True):
    """A service with its calls of the last hour; *p50_ms* and *p95_ms* None: none of them is over."""

    calls: int
    failed: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None


class ServiceLines(msgspec.Struct, frozen=True, kw_only=True):
    """Services, in the order of the configuration. All are on one page: *next* is null."""

    items: tuple[ServiceLine, ...]
    next: str | None = None

    @classmethod
    def of(
        cls,
        snapshot: MetricsSnapshot,
        *,
        config: Config,
        collector: MetricsCollector,
        reader: CallLedger,
        now: int,
    ) -> ServiceLines:
        """Return every service of *config* with its calls of the hour before *now*, an epoch microsecond.

        Raises:
            LedgerError: the ledger can't be read.
        """
        hours = {each.name: each for each in snapshot.health.services}
        lines = []
        for item in ServiceList.of(config, collector).items:
            hour = hours.get(item.name)
            calls = 0 if hour is None else hour.calls
            found = reader.latency(since=now - _HOUR, until=now, service=item.name, shares=_SHARES) if calls else None
            p50, p95 = (None, None) if found is None else (found[share] / 1000 for share in _SHARES)
            lines.append(
                ServiceLine(
                    **msgspec.structs.asdict(item),
                    calls=calls,
                    failed=0 if hour is None else hour.failed,
                    refused=0 if hour is None else hour.refused,
                    p50_ms=p50,
                    p95_ms=p95,
                )
            )
        return cls(items=tuple(lines))


class BudgetLine(BudgetMetrics, frozen=True, kw_only=True):
    """A budget with its forecast; None: it has no period of the calendar, or is not among the fullest."""

    forecast: BudgetForecast | None = None


class BudgetLines(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets, one for each value where the budget has an `each`. All are on one page: *next* is null."""

    items: tuple[BudgetLine, ...]
    next: str | None = None

    @classmethod
    def of(
        cls, budgets: Sequence[BudgetMetrics], forecasts: Mapping[tuple[str, str | None], BudgetForecast]
    ) -> BudgetLines:
        """Return *budgets*, each with its forecast."""
        return cls(
            items=tuple(
                BudgetLine(**msgspec.structs.asdict(each), forecast=forecasts.get((each.name, each.value)))
                for each in budgets
            )
        )


def calls_csv(items: Iterable[CallItem]) -> str:
    """Return *items* as CSV with a header; tags and units are JSON."""
    names = CallItem.__struct_fields__
    return csv_text(names, ([_cell(getattr(item, name)) for name in names] for item in items))


def services_csv(items: Sequence[ServiceLine]) -> str:
    """Return *items* as CSV; a limit that a service has not got is empty."""
    rules = sorted({limit.rule for item in items for limit in item.limits})
    header = (
        *_SERVICE,
        *(f"breaker.{name}" for name in _BREAKER),
        *(f"{rule}.{name}" for rule in rules for name in _LIMIT),
    )
    return csv_text(header, (_service_cells(item, rules) for item in items))


def budgets_csv(items: Iterable[BudgetLine]) -> str:
    """Return *items* as CSV, money as decimal USD; ``match`` is JSON."""
    header = (*_BUDGET, "match", *_FORECAST, *_BAND)
    return csv_text(header, (_budget_cells(item) for item in items))


def _service_cells(item: ServiceLine, rules: Sequence[str]) -> list[object]:
    limits: dict[str, RateLimitMetrics] = {limit.rule: limit for limit in item.limits}
    return [
        *(_cell(getattr(item, name)) for name in _SERVICE),
        *(_cell(getattr(item.breaker, name, None)) for name in _BREAKER),
        *(_cell(getattr(limits.get(rule), name, None)) for rule in rules for name in _LIMIT),
    ]


def _budget_cells(item: BudgetLine) -> list[object]:
    band = item.forecast and item.forecast.interval
    return [
        *(_cell(getattr(item, name)) for name in _BUDGET),
        _cell(item.match),
        *(_cell(getattr(item.forecast, name, None)) for name in _FORECAST),
        *(_cell(getattr(band, name, None)) for name in _BAND),
    ]


def _cell(value: object) -> object:
    if isinstance(value, str):
        return csv_name(value)
    if isinstance(value, dict):
        return msgspec.json.encode(plain(value)).decode()
    return plain(value)
