"""Calls as they come: the stream behind the live list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from switchgear.web.deps import WebDeps
from switchgear.web.live_calls import LiveCalls
from switchgear.web.queries import CallQuery, call_filter, read_query, zone_of
from switchgear.web.render import Pages

__all__ = ["TailQuery", "add_routes"]


class TailQuery(CallQuery):
    """Of the stream: which calls, after which place."""

    place: Annotated[int, Field(ge=0, lt=2**62, description="where the page was; a stream says on where it is")] = 0


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the stream."""
    streams = LiveCalls(deps)

    @router.get("/partials/calls/live")
    def live_calls(request: Request) -> Response:
        query = read_query(request, TailQuery)
        zone = zone_of(query, deps.zone)
        last = request.headers.get("last-event-id", "")
        place = min(int(last), 2**62) if last.isascii() and last.isdecimal() else query.place
        lines = streams.open(
            call_filter(query, zone),
            since=place,
            render=lambda rows: pages.text("fragments/call_rows.html", zone=zone, rows=rows),
        )
        return StreamingResponse(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
