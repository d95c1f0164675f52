"""``/api/calls``: attempts, newest first, and one call with all its attempts."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.call_item import CallDetail, CallList
from switchgear.ledger.views import CallFilter, CallPage, CallRow
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import CallQuery, NoQuery, call_filter, query_parameters, read_query, zone_of
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes", "find_call", "read_calls"]


BODIES: Final = (CallList, CallDetail)


def read_calls(deps: WebDeps, where: CallFilter, query: CallQuery) -> CallPage:
    """Return the page of calls that *query* asks for.

    Raises:
        Problem: 400; *after* is no cursor that a page gave.
    """
    try:
        return deps.reader.calls(where, limit=query.limit, after=query.after)
    except ValueError:
        detail = f"after: {query.after!r} is not the `next` of a page."
        raise Problem(400, detail, key="after") from None


def find_call(deps: WebDeps, call_id: str) -> tuple[CallRow, ...]:
    """Return every attempt of a call, by its id or that of a row.

    Raises:
        Problem: 404; the ledger has no such call.
    """
    rows = deps.reader.call(call_id)
    if not rows:
        # A row's id is the call's and its attempt's, with a hyphen between them.
        rows = deps.reader.call(call_id.rpartition("-")[0])
        rows = rows if any(row.id == call_id for row in rows) else ()
    if not rows:
        detail = f"The ledger has no call {call_id!r}."
        raise Problem(404, detail)
    return rows


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""

    @router.get(
        "/api/calls",
        summary="Attempts, newest first",
        responses=documented(CallList, 400, 503),
        openapi_extra=query_parameters(CallQuery),
    )
    def calls(request: Request) -> Response:
        query = read_query(request, CallQuery)
        page = read_calls(deps, call_filter(query, zone_of(query, deps.zone)), query)
        return answer(CallList.of(page))

    @router.get("/api/calls/{call_id}", summary="One call", responses=documented(CallDetail, 400, 404, 503))
    def call(request: Request, call_id: str) -> Response:
        read_query(request, NoQuery)
        return answer(CallDetail.of(find_call(deps, call_id)))
