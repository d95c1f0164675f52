"""The snapshot in Prometheus' words. Counters come from the ledger, so a restart never resets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from switchgear.money import to_usd
from switchgear.telemetry.prometheus_exports import export_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from switchgear.insight.metrics import BudgetMetrics, MetricsSnapshot, RateLimitMetrics
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.ledger.views import Totals

__all__ = ["CONTENT_TYPE", "PrometheusPage"]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""The media type of the page."""

_STATUSES: Final = ("ok", "failed", "refused", "cancelled", "orphaned")
_TOKEN_KINDS: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
_BREAKER_NUMBERS: Final = {"closed": 0, "disabled": 0, "metrics_only": 0, "half_open": 1, "open": 2, "forced_open": 2}
_ACCOUNTS: Final = 100
"""Accounts of a budget with an ``each`` that have numbers of their own: the fullest. However many jobs there are."""

_HEALTH_NUMBERS: Final = {"healthy": 0, "degraded": 1, "unhealthy": 2}


class PrometheusPage:
    """The page that Prometheus scrapes, with a registry of its own.

    Args:
        metrics: where the numbers come from, anew at each scrape.
        version: ours, for ``switchgear_build_info``.
        runner: returns how busy the runner is, each number by its name.
    """

    def __init__(
        self, metrics: MetricsCollector, version: str, *, runner: Callable[[], Mapping[str, float]] = dict[str, float]
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_SnapshotFamilies(metrics, version, runner))

    def render(self) -> bytes:
        """Return the page as text.

        Raises:
            LedgerError: the ledger can't be read.
        """
        return generate_latest(self._registry)


class _SnapshotFamilies(Collector):
    def __init__(self, metrics: MetricsCollector, version: str, runner: Callable[[], Mapping[str, float]]) -> None:
        self._runner = runner
        self._metrics = metrics
        self._version = version

    def collect(self) -> Iterator[Metric]:
        snapshot = self._metrics.snapshot()
        yield _info(self._version)
        yield from _ledger(self._metrics.lifetime())
        yield from _health(snapshot)
        yield from _limits([limit for limit in snapshot.limits if not limit.shadow])
        yield from _budgets([budget for budget in snapshot.budgets if not budget.shadow])
        yield from _shadows(snapshot)
        if snapshot.exports is not None:
            yield from export_families(snapshot.exports)
        yield _denials(self._metrics.denials())
        for name, value in self._runner().items():
            yield GaugeMetricFamily(f"switchgear_runner_{name}", f"Of the runner: {name.replace('_', ' ')}.", value)


def _info(version: str) -> Metric:
    info = GaugeMetricFamily("switchgear_build_info", "The running version; always 1.", labels=["version"])
    info.add_metric([version], 1)
    return info


def _ledger(rows: Iterable[Totals]) -> Iterator[Metric]:
    calls = CounterMetricFamily("switchgear_calls", "Attempts by outcome.", labels=["service", "status"])
    tokens = CounterMetricFamily("switchgear_tokens", "Tokens by kind.", labels=["service", "kind"])
    cost = CounterMetricFamily("switchgear_cost_usd", "Cost of priced calls in USD.", labels=["service"])
    unpriced = 0
    for row in rows:
        service = row.group["service"] or ""
        for status in _STATUSES:
            calls.add_metric([service, status], getattr(row, status))
        for kind in _TOKEN_KINDS:
            tokens.add_metric([service, kind], getattr(row, f"{kind}_tokens"))
        cost.add_metric([service], float(to_usd(row.cost)))
        unpriced += row.unpriced
    yield from (calls, tokens, cost)
    yield CounterMetricFamily(
        "switchgear_unpriced_calls", "Calls that went out without a known price; in no cost.", value=unpriced
    )


def _denials(counts: Mapping[str, int]) -> Metric:
    denials = CounterMetricFamily(
        "switchgear_denied_requests", "Requests turned away for their key; in no other number.", labels=["why"]
    )
    for why, count in sorted(counts.items()):
        denials.add_metric([why], count)
    return denials


def _health(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "switchgear_health",
        "Overall status: 0 healthy, 1 degraded, 2 unhealthy.",
        value=_HEALTH_NUMBERS[snapshot.health.status],
    )
    state = GaugeMetricFamily(
        "switchgear_breaker_state", "Breaker: 0 closed, 1 half-open (probing), 2 open.", labels=["service"]
    )
    for breaker in snapshot.breakers:
        state.add_metric([breaker.service], _BREAKER_NUMBERS[breaker.state])
    yield state


def _limits(limits: Iterable[RateLimitMetrics]) -> Iterator[Metric]:
    used = GaugeMetricFamily("switchgear_limit_used", "What is used of a limit.", labels=["service", "rule"])
    most = GaugeMetricFamily("switchgear_limit_limit", "The limit itself.", labels=["service", "rule"])
    for limit in limits:
        used.add_metric([limit.service, limit.rule], limit.used)
        most.add_metric([limit.service, limit.rule], limit.limit)
    yield from (used, most)


def _budgets(budgets: Iterable[BudgetMetrics]) -> Iterator[Metric]:
    ratio = GaugeMetricFamily(
        "switchgear_budget_used_ratio", "Spent as a share of the limit.", labels=["budget", "value"]
    )
    families = {
        f"{part}_{unit}": GaugeMetricFamily(
            f"switchgear_budget_{part}_{unit}", f"The budget's {part} in {unit}.", labels=["budget", "value"]
        )
        for unit in ("usd", "tokens")
        for part in ("limit", "spent", "reserved")
    }
    accounts = GaugeMetricFamily(
        "switchgear_budget_accounts", "Accounts of a budget; the fullest 100 have numbers here.", labels=["budget"]
    )
    for budget in _fullest(budgets, accounts):
        labels = [budget.name, budget.value or ""]
        ratio.add_metric(labels, budget.used_percent / 100)
        for name, family in families.items():
            number = getattr(budget, name)
            if number is not None:
                family.add_metric(labels, float(number))
    yield from (ratio, accounts)
    yield from families.values()


def _fullest(budgets: Iterable[BudgetMetrics], counts: GaugeMetricFamily) -> Iterator[BudgetMetrics]:
    """Yield the accounts that have numbers of their own, and say in *counts* how many there are of each budget."""
    of: dict[str, list[BudgetMetrics]] = {}
    for budget in budgets:
        of.setdefault(budget.name, []).append(budget)
    for name, accounts in of.items():
        counts.add_metric([name], len(accounts))
        yield from sorted(accounts, key=lambda account: -account.used_percent)[:_ACCOUNTS]


def _shadows(snapshot: MetricsSnapshot) -> Iterator[Metric]:
    """What is evaluated and not enforced has families of its own, so that no alert takes it for a real limit."""
    limits = CounterMetricFamily(
        "switchgear_shadow_limit_calls",
        "Calls that a shadow limit would have made wait, or refused, since the start.",
        labels=["service", "rule", "verdict"],
    )
    budgets = CounterMetricFamily(
        "switchgear_shadow_budget_refused",
        "Calls that a shadow budget would have turned away, since the start.",
        labels=["budget", "value"],
    )
    for limit in snapshot.limits:
        if limit.shadow:
            limits.add_metric([limit.service, limit.rule, "wait"], limit.would_wait)
            limits.add_metric([limit.service, limit.rule, "refuse"], limit.would_refuse)
    for budget in snapshot.budgets:
        if budget.shadow:
            budgets.add_metric([budget.name, budget.value or ""], budget.would_refuse)
    yield from (limits, budgets)
