"""Overview: is it working, what does it cost, will it last? Its two halves are partials as well."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import MetricsSnapshot, RateLimitMetrics
from switchgear.insight.spend import hourly_spend
from switchgear.ledger.views import CallFilter
from switchgear.web.charts import spend_chart
from switchgear.web.deps import WebDeps
from switchgear.web.pages.applications import card_of
from switchgear.web.render import Pages
from switchgear.web.running import capacity_of
from switchgear.web.words import BREAKER_WORDS

__all__ = ["add_routes"]

_BUDGETS: Final = 4
_REFUSALS: Final = 5


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page and its partials."""

    @router.get("/")
    def overview(request: Request) -> Response:
        snapshot = deps.collector.snapshot()
        context = _health_part(deps, snapshot) | _metrics_part(deps, snapshot, request) | card_of(deps)
        return pages.page(request, "overview.html", **context)

    @router.get("/partials/service-health")
    def service_health() -> Response:
        return pages.fragment("fragments/service_health.html", **_health_part(deps, deps.collector.snapshot()))

    @router.get("/partials/metrics-dashboard")
    def metrics_dashboard(request: Request) -> Response:
        context = _metrics_part(deps, deps.collector.snapshot(), request)
        return pages.fragment("fragments/metrics_dashboard.html", **context)


def _health_part(deps: WebDeps, snapshot: MetricsSnapshot) -> dict[str, Any]:
    limits: dict[str, list[RateLimitMetrics]] = {breaker.service: [] for breaker in snapshot.breakers}
    for limit in snapshot.limits:
        limits.setdefault(limit.service, []).append(limit)
    return {
        "health": snapshot.health,
        "breakers": {breaker.service: breaker for breaker in snapshot.breakers},
        "limits": limits,
        "states": [(BREAKER_WORDS[state].word, number) for state, number in snapshot.breaker_states.items()],
        "firing": 0 if deps.alerts is None else deps.alerts.firing,
    }


def _metrics_part(deps: WebDeps, snapshot: MetricsSnapshot, request: Request) -> dict[str, Any]:
    newest = deps.reader.calls(CallFilter(), limit=1).items
    refusals = deps.reader.calls(CallFilter(status="refused"), limit=_REFUSALS).items
    hours = hourly_spend(deps.reader.usage, now=deps.now(), zone=deps.zone)
    return {
        "snapshot": snapshot,
        "first_run": not newest,
        "services": deps.config.services,
        "base_url": str(request.base_url).rstrip("/"),
        "budgets": sorted(snapshot.budgets, key=lambda budget: -budget.used_percent)[:_BUDGETS],
        "refusals": refusals,
        "chart": spend_chart(hours, list(deps.config.services)),
        "runner": None if deps.runner is None else capacity_of(deps),
    }
