"""One trace: which of its calls waited, which took long, and what did it cost together?"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.trace import LARGEST, Trace, find_trace
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.respond import answer
from switchgear.web.waterfall import stretches
from switchgear.web.words import call_badge

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page, and the same as JSON."""

    @router.get("/traces/{trace_id}.json")
    def trace_json(request: Request, trace_id: str) -> Response:
        read_query(request, NoQuery)
        return answer(_found(deps, trace_id))

    @router.get("/traces/{trace_id}")
    def trace_page(request: Request, trace_id: str) -> Response:
        read_query(request, NoQuery)
        trace = _found(deps, trace_id)
        return pages.page(
            request,
            "trace.html",
            health=deps.collector.health(),
            trace=trace,
            stretches=stretches(trace),
            badge_of=lambda call: call_badge(call.status, call.refused_by),
            largest=LARGEST,
        )


def _found(deps: WebDeps, trace_id: str) -> Trace:
    trace = find_trace(deps.reader, trace_id, now=deps.now())
    if trace is None:
        raise Problem(404, f"The ledger has no call of a trace {trace_id!r}. /calls lists the calls that it has.")
    return trace
