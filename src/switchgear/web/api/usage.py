"""``/api/usage``: usage and cost over time and by group."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.questions import read_groups, read_span, read_zone
from switchgear.insight.service_item import providers_of
from switchgear.insight.sheets import usage_csv
from switchgear.insight.usage import UsageQuestion, UsageReport, usage
from switchgear.insight.usage_pages import page_of
from switchgear.ledger.usage_views import UsageFilter
from switchgear.web.deps import WebDeps
from switchgear.web.queries import query_parameters, read_query
from switchgear.web.questions import UsageQuery, answerable, csv_answer, documented_with_csv
from switchgear.web.respond import answer

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (UsageReport,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/usage",
        summary="Usage and cost over time and by group",
        responses=documented_with_csv(UsageReport),
        openapi_extra=query_parameters(UsageQuery),
    )
    def usage_of(request: Request) -> Response:
        query = read_query(request, UsageQuery)
        with answerable():
            zone = deps.zone if query.tz is None else read_zone(query.tz)
            question = UsageQuestion(
                by=read_groups(query.by),
                bucket=query.bucket,
                span=read_span(query.since, query.until, zone),
                metric=query.metric,
                where=UsageFilter(service=query.service, model=query.model, layer=query.layer, key=query.key),
            )
            report = usage(deps.reader.usage, question, zone=zone, providers=providers_of(deps.config))
            if query.format == "csv":
                return csv_answer(usage_csv(report), "usage")
            return answer(page_of(report, limit=query.limit, after=query.after))
