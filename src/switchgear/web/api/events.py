"""``/api/events``: the audit trail, page by page, as CSV, or as it is written."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from switchgear.insight.event_item import EventItem, EventList, events_csv
from switchgear.ledger.trail import KINDS, EventPage
from switchgear.web.deps import WebDeps
from switchgear.web.event_stream import EventStreams
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, instant, query_parameters, read_query
from switchgear.web.questions import Format, csv_answer, documented_with_csv
from switchgear.web.respond import answer

__all__ = ["BODIES", "EventQuery", "add_routes", "event_page"]

BODIES: Final = (EventList, EventItem)

_STREAM: Final = "text/event-stream"


class EventQuery(NoQuery):
    """Which entries are wanted, and which page of them."""

    kind: Annotated[str | None, Field(json_schema_extra={"enum": sorted(KINDS)}, description="only this kind")] = None
    since: Annotated[
        str | None, Field(alias="from", description="date (that whole day) or instant, inclusive; RFC 3339")
    ] = None
    until: Annotated[
        str | None, Field(alias="to", description="date (that whole day) or instant, exclusive; RFC 3339")
    ] = None
    format: Format = "json"
    limit: Annotated[int, Field(ge=1, le=500, description="entries on a page")] = 50
    after: Annotated[str | None, Field(description="the `next` of the page before")] = None

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str | None) -> str | None:
        if kind is not None and kind not in KINDS:
            msg = "no such kind"
            raise ValueError(msg)
        return kind


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""
    streams = EventStreams(deps)

    @router.get(
        "/api/events",
        summary="The audit trail, newest first; with `Accept: text/event-stream`, as it is written",
        responses=_documented(),
        openapi_extra=query_parameters(EventQuery),
    )
    def events(request: Request) -> Response:
        query = read_query(request, EventQuery)
        if _STREAM in request.headers.get("accept", ""):
            lines = streams.open(request.headers.get("last-event-id"), kind=query.kind)
            return StreamingResponse(lines, media_type=_STREAM, headers={"X-Accel-Buffering": "no"})
        page = event_page(deps, query)
        if query.format == "csv":
            return csv_answer(events_csv(map(EventItem.of, page.items)), "events")
        return answer(EventList.of(page))

    @router.get(
        "/api/events.csv",
        summary="The same page of the audit trail as CSV",
        responses=_documented(),
        openapi_extra=query_parameters(EventQuery),
    )
    def events_as_csv(request: Request) -> Response:
        page = event_page(deps, read_query(request, EventQuery))
        return csv_answer(events_csv(map(EventItem.of, page.items)), "events")


def event_page(deps: WebDeps, query: EventQuery) -> EventPage:
    """Return the page of the audit trail that *query* asks for.

    Raises:
        Problem: 400; no date, or *after* is no cursor that a page gave.
    """
    since, until = instant("from", query.since, deps.zone), instant("to", query.until, deps.zone, end=True)
    try:
        return deps.reader.trail.page(kind=query.kind, since=since, until=until, limit=query.limit, after=query.after)
    except ValueError:
        raise Problem(400, f"after: {query.after!r} is not the `next` of a page.", key="after") from None


def _documented() -> dict[int | str, dict[str, Any]]:
    found = documented_with_csv(EventList)
    found[200]["content"] = {**found[200]["content"], _STREAM: {"schema": {"type": "string"}}}
    return found
