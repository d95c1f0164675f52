"""Runs: which pipelines are under way, how far they are, what they cost, and how to go on with them."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.runner.items import LogItem, RunItem, RunList
from switchgear.runner.views import RunStatus
from switchgear.tracing import run_trace
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.running import capacity_of, command, runner_in, told

__all__ = ["add_routes"]

_BY: Final = "dashboard"
_SHOWN: Final = 50
_LINES: Final = 200
_STATUSES: Final = ("queued", "running", "paused", "ok", "failed", "cancelled")
_DONE: Final = {
    "cancel": "It is being cancelled.",
    "pause": "It waits before its next layer.",
    "resume": "It goes on.",
    "retry": "It is being redone.",
}


class RunPageQuery(NoQuery):
    """Of ``/runs``."""

    status: RunStatus | None = None
    pipeline: str | None = None
    job: str | None = None
    after: str | None = None


class OneRunQuery(NoQuery):
    """Of ``/runs/ID``; *lines*: from where its log is shown."""

    done: str | None = None
    lines: Annotated[int, Field(ge=0, le=2**31)] = 0


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the pages with their partials, and the forms."""

    @router.get("/runs")
    def runs(request: Request) -> Response:
        query = read_query(request, RunPageQuery)
        context = _list(deps, query)
        return pages.page(request, "runs.html", health=deps.collector.health(), given=query, **context)

    @router.get("/partials/runs")
    def runs_part(request: Request) -> Response:
        return pages.fragment("fragments/runs.html", **_list(deps, read_query(request, RunPageQuery)))

    @router.get("/runs/{run}")
    def run_page(request: Request, run: str) -> Response:
        query = read_query(request, OneRunQuery)
        context = _one(deps, run, query.lines)
        return pages.page(
            request,
            "run.html",
            health=deps.collector.health(),
            notice=_DONE.get(query.done or ""),
            editable=may_change(request),
            **context,
        )

    @router.get("/partials/run/{run}")
    def run_part(request: Request, run: str) -> Response:
        query = read_query(request, OneRunQuery)
        return pages.fragment("fragments/run.html", editable=may_change(request), **_one(deps, run, query.lines))

    @router.post("/runs/{run}/{verb}")
    async def change(request: Request, run: str, verb: str) -> Response:
        if verb not in _DONE:
            raise Problem(404, f"Nothing is done to runs by {verb!r}.")
        form = await read_form(request, "layer")
        await run_in_threadpool(command, deps, run, verb, layer=form["layer"], by=actor(request, _BY))
        return RedirectResponse(f"/runs/{quote(run, safe='')}?done={verb}", status_code=303)


def _list(deps: WebDeps, query: RunPageQuery) -> dict[str, Any]:
    given = {key: str(value) for key, value in query.model_dump(exclude_none=True, exclude={"after"}).items()}
    found: dict[str, Any] = {
        "capacity": capacity_of(deps),
        "runs": None,
        "pipelines": [],
        "statuses": _STATUSES,
        "older": None,
        "filtered": bool(given),
        "poll": "/partials/runs" + ("?" + urlencode(given | ({"after": query.after} if query.after else {}))),
    }
    if deps.runner is None:
        return found
    with told():
        page = deps.runner.list(
            limit=_SHOWN, after=query.after, status=query.status, pipeline=query.pipeline, job=query.job
        )
    older = None if page.next is None else "/runs?" + urlencode({**given, "after": page.next})
    return found | {
        "runs": RunList.of(page).items,
        "pipelines": [one.name for one in deps.runner.pipelines()],
        "older": older,
    }


def _one(deps: WebDeps, run: str, lines: int) -> dict[str, Any]:
    runner = runner_in(deps)
    with told():
        item = RunItem.of(runner.show(run))
        # The last lines, unless the reader asks for earlier ones: a log can be long.
        last = runner.last_line(run)
        begin = lines or max(0, last - _LINES)
        page = runner.logs(run, after=begin, limit=_LINES)
    known = item.layers_total
    return {
        "one": item,
        "log": tuple(map(LogItem.of, page.items)),
        "earlier": max(1, begin - _LINES) if begin > 1 else None,
        "progress": None if not known else 100 * item.layers_done / known,
        "spent": None if not item.budget_usd else float(100 * item.cost_usd / item.budget_usd),
        "trace_calls": "/calls?" + urlencode({"run": item.run}),
        "trace": f"/traces/{run_trace(item.run)}",
    }
