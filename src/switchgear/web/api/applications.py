"""``/api/applications``: what was sent, when, and what came of it; and how many."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.days import from_micros
from switchgear.web.applications import (
    ApplicationEntry,
    ApplicationFile,
    ApplicationGoal,
    ApplicationItem,
    ApplicationList,
    ApplicationRun,
    ApplicationStats,
    ApplicationStatus,
    ApplicationsWanted,
    desk_of,
)
from switchgear.web.auth.door import actor
from switchgear.web.bodies import read_json
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, instant, query_parameters, read_query
from switchgear.web.questions import csv_answer
from switchgear.web.respond import answer, documented, request_body

__all__ = ["BODIES", "ApplicationQuery", "add_routes", "wanted_of"]

_BY: Final = "api"


class ApplicationQuery(NoQuery):
    """Which applications are wanted, and which page of them."""

    status: Annotated[ApplicationStatus | None, Field(description="only those that stand so")] = None
    company: Annotated[str | None, Field(description="only this company, whatever the case")] = None
    job: Annotated[str | None, Field(description="only that of this job")] = None
    text: Annotated[str | None, Field(alias="q", description="in role, company, place, address or job")] = None
    since: Annotated[str | None, Field(alias="from", description="sent on this date or later; RFC 3339")] = None
    until: Annotated[str | None, Field(alias="to", description="sent on this date or before; RFC 3339")] = None
    format: Annotated[Literal["json", "csv"], Field(description="csv: all that are wanted, not a page")] = "json"
    limit: Annotated[int, Field(ge=1, le=500, description="records on a page")] = 50
    after: Annotated[str | None, Field(description="the `next` of the page before")] = None

    def given(self) -> dict[str, str]:
        """Return what was asked for, by the names in the address, without the page."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude={"format", "limit", "after"})
        return {key: str(value) for key, value in found.items()}


class StatusChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an application. *at*: when, as a date or an instant; left out: now."""

    status: str
    at: str | None = None
    note: str = ""
    by: str = _BY


class NewNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note for the history."""

    text: str
    by: str = _BY


class ApplicationEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays."""

    role: str | None = None
    company: str | None = None
    place: str | None = None
    url: str | None = None
    by: str = _BY


BODIES: Final = (
    ApplicationList,
    ApplicationItem,
    ApplicationEntry,
    ApplicationRun,
    ApplicationFile,
    ApplicationStats,
    ApplicationGoal,
    StatusChange,
    NewNote,
    ApplicationEdit,
)


def wanted_of(deps: WebDeps, query: ApplicationQuery) -> ApplicationsWanted:
    """Return what *query* asks for; raise Problem: 400 for a date that is none."""
    return ApplicationsWanted(
        status=query.status,
        company=query.company,
        job=query.job,
        text=query.text,
        since=instant("from", query.since, deps.zone),
        until=instant("to", query.until, deps.zone, end=True),
    )


def csv_of(deps: WebDeps, query: ApplicationQuery) -> Response:
    """Return everything that *query* asks for as a CSV file."""
    text = "".join(desk_of(deps.applications).export_csv(wanted_of(deps, query)))
    day = from_micros(deps.now()).astimezone(deps.zone)
    return csv_answer(text, f"applications-{day:%Y-%m-%d}")


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the routes."""
    _add_reading(router, deps)
    _add_changing(router, deps)


def _add_reading(router: APIRouter, deps: WebDeps) -> None:
    listed = documented(ApplicationList, 400, 503)
    listed[200]["content"] = {**listed[200]["content"], "text/csv": {"schema": {"type": "string"}}}

    @router.get(
        "/api/applications",
        summary="Applications, the newest first",
        responses=listed,
        openapi_extra=query_parameters(ApplicationQuery),
    )
    def applications(request: Request) -> Response:
        query = read_query(request, ApplicationQuery)
        if query.format == "csv":
            return csv_of(deps, query)
        desk = desk_of(deps.applications)
        return answer(desk.page(wanted_of(deps, query), limit=query.limit, after=query.after))

    @router.get(
        "/api/applications/stats", summary="How many were sent", responses=documented(ApplicationStats, 400, 503)
    )
    def stats(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(desk_of(deps.applications).stats())

    @router.get(
        "/api/applications/{name}", summary="One application", responses=documented(ApplicationItem, 400, 404, 503)
    )
    def application(request: Request, name: str) -> Response:
        read_query(request, NoQuery)
        return answer(desk_of(deps.applications).get(name))


def _add_changing(router: APIRouter, deps: WebDeps) -> None:
    problems = (400, 403, 404, 413, 415, 503)

    @router.post(
        "/api/applications/{name}/status",
        summary="Say what became of it",
        responses=documented(ApplicationItem, *problems),
        openapi_extra=request_body(StatusChange),
    )
    async def set_status(request: Request, name: str) -> Response:
        body = await read_json(request, StatusChange)
        desk, by = desk_of(deps.applications), actor(request, body.by)
        return answer(await run_in_threadpool(desk.set_status, name, body.status, at=body.at, note=body.note, by=by))

    @router.post(
        "/api/applications/{name}/notes",
        summary="Add a note",
        responses=documented(ApplicationItem, *problems),
        openapi_extra=request_body(NewNote),
    )
    async def note(request: Request, name: str) -> Response:
        body = await read_json(request, NewNote)
        desk, by = desk_of(deps.applications), actor(request, body.by)
        return answer(await run_in_threadpool(desk.note, name, body.text, by=by))

    @router.patch(
        "/api/applications/{name}",
        summary="Change what it says",
        responses=documented(ApplicationItem, *problems),
        openapi_extra=request_body(ApplicationEdit),
    )
    async def edit(request: Request, name: str) -> Response:
        body = await read_json(request, ApplicationEdit)
        desk, by = desk_of(deps.applications), actor(request, body.by)
        facts = {key: getattr(body, key) for key in ("role", "company", "place", "url")}
        return answer(await run_in_threadpool(desk.edit, name, by=by, **facts))
