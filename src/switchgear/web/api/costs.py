"""``/api/costs``: the cost report of a month, a day or any time."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.periods import read_period
from switchgear.insight.questions import read_groups, read_zone
from switchgear.insight.reports import CostReport, Parts, cost_report
from switchgear.insight.service_item import providers_of
from switchgear.insight.sheets import costs_csv
from switchgear.web.deps import WebDeps
from switchgear.web.queries import query_parameters, read_query
from switchgear.web.questions import CostQuery, answerable, csv_answer, documented_with_csv
from switchgear.web.respond import answer

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (CostReport,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/costs",
        summary="Cost report of a month, a day or any time",
        responses=documented_with_csv(CostReport),
        openapi_extra=query_parameters(CostQuery),
    )
    def costs(request: Request) -> Response:
        query = read_query(request, CostQuery)
        now = deps.now()
        with answerable():
            zone = deps.zone if query.tz is None else read_zone(query.tz)
            period, span = read_period(
                month=query.month, day=query.day, since=query.since, until=query.until, zone=zone, now=now
            )
            report = cost_report(
                deps.reader.usage,
                span,
                period=period,
                parts=Parts.of(None if query.by is None else read_groups(query.by), most=query.limit),
                zone=zone,
                providers=providers_of(deps.config),
                now=now,
            )
        return csv_answer(costs_csv(report), "costs") if query.format == "csv" else answer(report)
