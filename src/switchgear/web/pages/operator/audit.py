"""``/-/audit``: who changed what, when and why."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.event_item import EventItem, EventList, events_csv
from switchgear.ledger.trail import KINDS
from switchgear.web.api.events import EventQuery, event_page
from switchgear.web.deps import WebDeps
from switchgear.web.queries import read_query
from switchgear.web.questions import csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page; with ``format`` it is the same entries as JSON or CSV."""

    @router.get("/-/audit")
    def audit(request: Request) -> Response:
        query = read_query(request, EventQuery)
        page = event_page(deps, query)
        if "format" in query.model_fields_set:
            if query.format == "csv":
                return csv_answer(events_csv(map(EventItem.of, page.items)), "events")
            return answer(EventList.of(page))
        pairs = {"kind": query.kind, "from": query.since, "to": query.until}
        given = {key: value for key, value in pairs.items() if value}
        paging = given | ({"limit": str(query.limit)} if "limit" in query.model_fields_set else {})
        return pages.page(
            request,
            "operator/audit.html",
            health=deps.collector.health(),
            items=[EventItem.of(row) for row in page.items],
            given=pairs,
            filtered=bool(given),
            kinds=sorted(KINDS),
            fact=_fact,
            csv="/api/events.csv?" + urlencode(given),
            older=f"/-/audit?{urlencode({**paging, 'after': page.next})}" if page.next else None,
            newest=f"/-/audit?{urlencode(paging)}" if query.after else None,
        )


def _fact(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    changes = {name: each for name, each in value.items() if isinstance(each, dict)}
    return "; ".join(f"{name}: {each.get('old')} to {each.get('new')}" for name, each in changes.items())
