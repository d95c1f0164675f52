"""``/api/runs``: start, list, show, stop and go on with runs; their logs and files; which pipelines there are."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from switchgear.runner.items import (
    ArtefactItem,
    CapacityItem,
    EstimateItem,
    LayerItem,
    LogItem,
    LogList,
    PipelineItem,
    PipelineList,
    RunItem,
    RunList,
)
from switchgear.runner.views import RunStatus, RunView
from switchgear.web.auth.door import actor
from switchgear.web.bodies import read_json
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, query_parameters, read_query
from switchgear.web.respond import answer, documented, request_body
from switchgear.web.run_log import LogStreams
from switchgear.web.running import command, runner_in, told

__all__ = ["BODIES", "add_routes"]

_BY: Final = "api"
_STREAM: Final = "text/event-stream"
_LARGEST: Final = 4 * 1024 * 1024


class RunQuery(NoQuery):
    """Which runs are wanted, and which page of them."""

    status: Annotated[RunStatus | None, Field(description="only those in this state")] = None
    pipeline: Annotated[str | None, Field(description="only those of this pipeline")] = None
    job: Annotated[str | None, Field(description="only those for this job")] = None
    limit: Annotated[int, Field(ge=1, le=500, description="runs on a page")] = 50
    after: Annotated[str | None, Field(description="the `next` of the page before")] = None


class LogQuery(NoQuery):
    """Which lines of a log are wanted."""

    after: Annotated[int, Field(ge=0, le=2**31, description="lines above this number")] = 0
    limit: Annotated[int, Field(ge=1, le=2000, description="lines at most")] = 500


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run to be started: *input* are the pipeline's arguments by name; *run*: its name, which is started once."""

    pipeline: str
    input: dict[str, Any] = {}
    job: str | None = None
    priority: int = 0
    budget_usd: str | None = None
    run: str | None = None


class RunChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What else there is to say of a change: *layer*, from which on a run is redone; *by*, who asks for it."""

    layer: str | None = None
    by: str = _BY


BODIES: Final = (
    RunList,
    RunItem,
    LayerItem,
    ArtefactItem,
    LogList,
    LogItem,
    PipelineList,
    PipelineItem,
    EstimateItem,
    CapacityItem,
    NewRun,
    RunChange,
)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the routes."""
    _add_reading(router, deps)
    _add_commands(router, deps)
    _add_contents(router, deps)


def _add_reading(router: APIRouter, deps: WebDeps) -> None:
    @router.get(
        "/api/runs",
        summary="Runs, newest first",
        responses=documented(RunList, 400, 503),
        openapi_extra=query_parameters(RunQuery),
    )
    def runs(request: Request) -> Response:
        query = read_query(request, RunQuery)
        if deps.runner is None:
            return answer(RunList(items=(), next=None))
        with told():
            page = deps.runner.list(
                limit=query.limit, after=query.after, status=query.status, pipeline=query.pipeline, job=query.job
            )
        return answer(RunList.of(page))

    @router.get("/api/pipelines", summary="What can be started", responses=documented(PipelineList, 400, 503))
    def pipelines(request: Request) -> Response:
        read_query(request, NoQuery)
        if (runner := deps.runner) is None:
            return answer(PipelineList(items=()))
        with told():
            items = tuple(PipelineItem.of(one, runner.estimate(one.name)) for one in runner.pipelines())
        return answer(PipelineList(items=items))

    @router.get("/api/runs/{run}", summary="One run with its layers", responses=documented(RunItem, 400, 404, 503))
    def run_of(request: Request, run: str) -> Response:
        read_query(request, NoQuery)
        runner = runner_in(deps)
        with told():
            return answer(RunItem.of(runner.show(run)))


def _add_commands(router: APIRouter, deps: WebDeps) -> None:
    @router.post(
        "/api/runs",
        summary="Start a run: it is in the queue, durably, when this answers",
        responses=documented(RunItem, 400, 403, 404, 409, 413, 415, 503),
        openapi_extra=request_body(NewRun),
    )
    async def start(request: Request) -> Response:
        body = await read_json(request, NewRun, most=_LARGEST)
        return answer(RunItem.of(await run_in_threadpool(_start, deps, body)))

    def add_verb(verb: str, summary: str) -> None:
        @router.post(
            f"/api/runs/{{run}}/{verb}",
            name=f"{verb}_run",
            summary=summary,
            responses=documented(RunItem, 400, 403, 404, 409, 413, 415, 503),
            openapi_extra=request_body(RunChange),
        )
        async def change(request: Request, run: str) -> Response:
            body = await read_json(request, RunChange)
            if body.layer is not None and verb != "retry":
                raise Problem(400, f"layer: a run is redone from a layer, not {verb}ed.", key="layer")
            by = actor(request, body.by)[:100]
            await run_in_threadpool(command, deps, run, verb, layer=body.layer, by=by)
            return answer(RunItem.of(await run_in_threadpool(runner_in(deps).show, run)))

    add_verb("cancel", "Stop a run for good, in the middle of its calls where they are async")
    add_verb("pause", "Have a run wait before its next layer")
    add_verb("resume", "Let a run go on from where it stopped; finished layers are kept")
    add_verb("retry", "Have a run redone from a layer on, or from its beginning")


def _add_contents(router: APIRouter, deps: WebDeps) -> None:
    streams = LogStreams(deps)
    log_answers = documented(LogList, 400, 404, 503)
    log_answers[200]["content"] = {**log_answers[200]["content"], _STREAM: {"schema": {"type": "string"}}}

    @router.get(
        "/api/runs/{run}/log",
        summary="The log of a run from a cursor on; with `Accept: text/event-stream`, as it is written",
        responses=log_answers,
        openapi_extra=query_parameters(LogQuery),
    )
    def log(request: Request, run: str) -> Response:
        query = read_query(request, LogQuery)
        runner = runner_in(deps)
        if _STREAM in request.headers.get("accept", ""):
            lines = streams.open(run, after=_last_seen(request, query.after))
            return StreamingResponse(lines, media_type=_STREAM, headers={"X-Accel-Buffering": "no"})
        with told():
            return answer(LogList.of(runner.logs(run, after=query.after, limit=query.limit)))

    @router.get(
        "/api/runs/{run}/artefacts/{name}",
        summary="A file of a run, to be kept",
        responses={
            200: {"description": "The file", "content": {"application/octet-stream": {}}},
            **{status: documented(RunItem, status)[status] for status in (400, 404, 503)},
        },
    )
    def artefact(request: Request, run: str, name: str) -> Response:
        read_query(request, NoQuery)
        found = next((one for one in _shown(deps, run).artefacts if one.name == name), None)
        if found is None:
            raise Problem(404, f"Run {run!r} has no artefact {name!r}.")
        with told():
            facts, path = runner_in(deps).artefact(run, name)
        # A layer's file is never a page of ours: it is saved, and a browser takes it for what it says it is.
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return FileResponse(path, media_type=facts.media_type, filename=facts.name, headers=headers)


def _shown(deps: WebDeps, run: str) -> RunItem:
    runner = runner_in(deps)
    with told():
        return RunItem.of(runner.show(run))


def _start(deps: WebDeps, body: NewRun) -> RunView:
    runner = runner_in(deps)
    with told():
        run = runner.submit_arguments(
            body.pipeline,
            body.input,
            job=body.job,
            priority=body.priority,
            budget_usd=body.budget_usd,
            run=body.run,
        )
        return runner.show(run)


def _last_seen(request: Request, after: int) -> int:
    said = request.headers.get("last-event-id")
    if said is None:
        return after
    if not (said.isascii() and said.isdecimal()):
        raise Problem(400, f"Last-Event-ID: {said!r} is not the id of a line.", key="Last-Event-ID")
    return min(int(said), 2**31)
