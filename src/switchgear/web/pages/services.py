"""Services: what is open, how full are the limits, and why did a breaker change?"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import MetricsSnapshot
from switchgear.insight.page_sheets import ServiceLines, services_csv
from switchgear.insight.strips import service_strips
from switchgear.web.deps import WebDeps
from switchgear.web.queries import ZoneQuery, read_query, zone_of
from switchgear.web.questions import csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer
from switchgear.web.service_strip import Strip, service_strip

__all__ = ["add_routes"]

_EACH: Final = 2
"""Quarters of an hour to a column."""


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list, and its numbers as JSON and CSV."""

    def lines(request: Request) -> tuple[MetricsSnapshot, ServiceLines]:
        zone_of(read_query(request, ZoneQuery), deps.zone)
        snapshot = deps.collector.snapshot()
        found = ServiceLines.of(
            snapshot, config=deps.config, collector=deps.collector, reader=deps.reader, now=deps.now()
        )
        return snapshot, found

    @router.get("/services")
    def services(request: Request) -> Response:
        query = read_query(request, ZoneQuery)
        snapshot, found = lines(request)
        return pages.page(
            request,
            "services.html",
            health=snapshot.health,
            services=found.items,
            strips=_strips(deps, [item.name for item in found.items]),
            zone=zone_of(query, deps.zone),
        )

    @router.get("/services.json")
    def services_json(request: Request) -> Response:
        return answer(lines(request)[1])

    @router.get("/services.csv")
    def services_table(request: Request) -> Response:
        return csv_answer(services_csv(lines(request)[1].items), "services")


def _strips(deps: WebDeps, names: list[str]) -> dict[str, Strip]:
    found = service_strips(deps.reader.usage, now=deps.now())
    return {name: service_strip(found[name], each=_EACH) for name in names if name in found}
