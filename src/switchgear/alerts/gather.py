"""Reads what rules look at from the ledger and the live numbers; what can't be read is left out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from switchgear.alerts.past import LOOKED_BACK_US, QUARTER_US, Quarter, cost_score, error_score, is_silent, usual
from switchgear.alerts.readings import Asked, Reading
from switchgear.clock import MICROS
from switchgear.errors import LedgerError, StateError
from switchgear.insight.outlook_memory import ForecastMemory
from switchgear.ledger.usage_views import UsageFilter
from switchgear.ledger.views import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.config.model import Config
    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.insight.sources import CallLedger, CostLedger

__all__ = ["Gatherer", "quarters_of"]

_UP: Final = frozenset({"open", "half_open", "forced_open"})
_NANO: Final = 1_000_000_000
_FORECAST_US: Final = 10 * 60 * MICROS

_log = logging.getLogger("switchgear.alerts")


class Gatherer:
    """Asks for every metric of *asked* at once. It is used by one thread.

    Args:
        collector: the live numbers, and whether the ledger can be written.
        reader: the ledger's sums.
        config: which services there are.

    Attributes:
        runs: returns each metric of runs at an instant, by pipeline; None: no pipelines are run here.
    """

    def __init__(self, collector: MetricsCollector, reader: CostLedger, config: Config) -> None:
        self._collector: Final = collector
        self._reader: Final = reader
        self.config = config
        self._forecasts: Final = ForecastMemory(reader.usage, ZoneInfo(config.server.reporting_timezone))
        self._past: dict[str, list[Quarter]] = {}
        self._past_of: int | None = None
        self._compare: dict[tuple[str, int], Sequence[Quarter]] = {}
        self._made: tuple[int, Sequence[Reading]] | None = None
        self.runs: Callable[[int], Mapping[str, Mapping[str, float]]] | None = None

    def read(self, asked: Iterable[Asked], *, now: int) -> dict[Asked, Sequence[Reading]]:
        """Return the readings at *now*, in epoch microseconds."""
        found: dict[Asked, Sequence[Reading]] = {}
        wanted = set(asked)
        state_problem = self._live(wanted, found, now)
        ledger_problem = self._collector.ledger_problem()
        try:
            for window in {each.window_us for each in wanted if each.window_us is not None}:
                names = {each.metric for each in wanted if each.window_us == window}
                found |= self._windowed(names, window, now)
        except LedgerError as error:
            ledger_problem = str(error)
        for metric, by_pipeline in ({} if self.runs is None else self.runs(now)).items():
            found[Asked(metric, None)] = [Reading({"pipeline": name}, value) for name, value in by_pipeline.items()]
        found[Asked("ledger.failing", None)] = [Reading({}, float(ledger_problem is not None))]
        found[Asked("state.failing", None)] = [Reading({}, float(state_problem is not None))]
        return found

    def _live(self, wanted: set[Asked], found: dict[Asked, Sequence[Reading]], now: int) -> str | None:
        try:
            found[Asked("breaker.open", None)] = [
                Reading({"service": each.service}, float(each.state in _UP)) for each in self._collector.breakers()
            ]
            found[Asked("limit.used_percent", None)] = [
                Reading({"service": each.service, "limit": each.rule}, each.used_percent)
                for each in self._collector.limits()
                if not each.shadow
            ]
            budgets = [each for each in self._collector.budgets() if not each.shadow]
        except StateError as error:
            return str(error)
        found[Asked("budget.used_percent", None)] = [Reading(_labels(each), each.used_percent) for each in budgets]
        if (forecast := Asked("budget.forecast_percent", None)) in wanted:
            try:
                found[forecast] = self._forecast(budgets, now)
            except LedgerError:
                return None
        return None

    def _forecast(self, budgets: Sequence[BudgetMetrics], now: int) -> Sequence[Reading]:
        """Return where budgets end, ten minutes old at most: to make a forecast takes the processor a while."""
        made = self._made
        if made is None or not made[0] <= now < made[0] + _FORECAST_US:
            found = self._forecasts.of(budgets, now=now)
            readings = [
                Reading({"budget": name, "value": value or ""}, None if share is None else share * 100)
                for (name, value), one in found.items()
                for share in (one.expected_share,)
            ]
            self._made = made = now, readings
        return made[1]

    def _windowed(self, names: set[str], window: int, now: int) -> dict[Asked, Sequence[Reading]]:
        sums = self._reader.usage.row_sums(UsageFilter(since=now - window, until=now), by=("service",))
        totals = {each.group[0]: each.totals for each in sums}
        return {
            Asked(name, window): [
                self._reading(name, service, totals.get(service, Totals(group={})), window, now)
                for service in self.config.services
            ]
            for name in names
        }

    def _reading(self, name: str, service: str, of: Totals, window: int, now: int) -> Reading:
        labels, answered = {"service": service}, of.ok + of.failed
        percent = 100 * of.failed / answered if answered else None
        plain: Mapping[str, float | None] = {
            "service.calls": of.calls,
            "service.cost_usd": of.cost / _NANO,
            "service.error_percent": percent,
            "service.failed": of.failed,
            "service.refused": of.refused,
            "service.unpriced": of.unpriced if self._is_priced(service) else None,
        }
        if name in plain:
            return Reading(labels, plain[name], answered)
        if name == "service.p95_ms":
            return Reading(labels, self._p95(service, window, now) if answered else None, answered)
        return Reading(labels, self._compared(name, service, of, window, now), answered)

    def _compared(self, name: str, service: str, of: Totals, window: int, now: int) -> float | None:
        quarters = self._quarters(now).get(service, [])
        if name == "service.silent":
            silent = is_silent(of.calls, quarters, now=now, window_us=window)
            return None if silent is None else float(silent)
        past = self._usual(service, quarters, window)
        if name == "service.cost_score":
            return cost_score(of.cost, past, window_us=window)
        answered = of.ok + of.failed
        return error_score(100 * of.failed / answered, past) if answered else None

    def _usual(self, service: str, quarters: Sequence[Quarter], window: int) -> Sequence[Quarter]:
        """Return what *service* is compared with, found once in 15 minutes."""
        found = self._compare.get((service, window))
        if found is None:
            at = (self._past_of or 0) * QUARTER_US
            # What is looked at is no part of what it is compared with.
            found = usual([each for each in quarters if each.start + QUARTER_US <= at - window], now=at)
            self._compare[service, window] = found
        return found

    def _quarters(self, now: int) -> dict[str, list[Quarter]]:
        """Return the past of each service, read once in 15 minutes."""
        quarter = now // QUARTER_US
        if self._past_of != quarter:
            until = quarter * QUARTER_US
            found = quarters_of(self._reader, since=until - LOOKED_BACK_US, until=until)
            self._past, self._past_of, self._compare = found, quarter, {}
        return self._past

    def _p95(self, service: str, window: int, now: int) -> float | None:
        found = self._reader.latency(since=now - window, until=now, service=service, shares=(0.95,))
        return None if found is None else found[0.95] / 1000

    def _is_priced(self, service: str) -> bool:
        """Return whether its calls are meant to have a price: what is only passed on is not."""
        config = self.config.services[service]
        return config.kind != "http" or bool(config.prices)


def quarters_of(reader: CallLedger, *, since: int, until: int) -> dict[str, list[Quarter]]:
    """Return what each service had in each quarter of an hour between *since* and *until*, in order.

    Raises:
        LedgerError: the ledger can't be read.
    """
    found: dict[str, list[Quarter]] = {}
    for each in reader.totals(since=since, until=until, by=("service",), bucket_us=QUARTER_US):
        service = each.group["service"]
        if service is not None and each.bucket is not None:
            quarter = Quarter(each.bucket, each.ok + each.failed, each.failed, each.cost)
            found.setdefault(service, []).append(quarter)
    for quarters in found.values():
        quarters.sort()
    return found


def _labels(budget: BudgetMetrics) -> dict[str, str]:
    return {"budget": budget.name, "value": budget.value or ""}
