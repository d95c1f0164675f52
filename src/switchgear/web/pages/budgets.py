"""Budgets: how much is left, how long will it last, and what happens when it is gone?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.outlook_memory import ForecastMemory
from switchgear.insight.page_sheets import BudgetLines, budgets_csv
from switchgear.web.deps import WebDeps
from switchgear.web.queries import ZoneQuery, read_query, zone_of
from switchgear.web.questions import csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list with its partial, and its numbers as JSON and CSV."""
    memory = ForecastMemory(deps.reader.usage, deps.zone)

    def monitor(request: Request) -> dict[str, Any]:
        query = read_query(request, ZoneQuery)
        budgets = deps.collector.budgets()
        return {
            "budgets": budgets,
            "forecasts": memory.of(budgets, now=deps.now()),
            "zone": zone_of(query, deps.zone),
            "tz": query.tz,
        }

    def lines(request: Request) -> BudgetLines:
        zone_of(read_query(request, ZoneQuery), deps.zone)
        budgets = deps.collector.budgets()
        return BudgetLines.of(budgets, memory.of(budgets, now=deps.now()))

    @router.get("/budgets")
    def budgets(request: Request) -> Response:
        return pages.page(request, "budgets.html", health=deps.collector.health(), **monitor(request))

    @router.get("/partials/budget-monitor")
    def budget_monitor(request: Request) -> Response:
        return pages.fragment("fragments/budget_monitor.html", **monitor(request))

    @router.get("/budgets.json")
    def budgets_json(request: Request) -> Response:
        return answer(lines(request))

    @router.get("/budgets.csv")
    def budgets_table(request: Request) -> Response:
        return csv_answer(budgets_csv(lines(request).items), "budgets")
