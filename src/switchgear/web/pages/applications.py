"""Applications: what was sent, what came of it, and is it enough?"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.web.api.applications import ApplicationQuery, wanted_of
from switchgear.web.applications import STATUSES, ApplicationList, desk_of
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.deps import WebDeps
from switchgear.web.pages.calls import Chip
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.words import APPLICATION_WORDS

__all__ = ["add_routes", "card_of"]

_BY: Final = "dashboard"
_FACTS: Final = ("role", "company", "place", "url")
_WORDS: Final = {"q": "text", "from": "sent from", "to": "sent to"}
_DONE: Final = {
    "status": "The status is on record.",
    "note": "The note is on record.",
    "edit": "The change is on record.",
}


class DonePage(NoQuery):
    """Of the page of one application."""

    done: str | None = None


def card_of(deps: WebDeps) -> dict[str, Any]:
    """Return what the card needs: the numbers, or why there are none; a page goes on without them."""
    try:
        in_use = deps.applications is not None and deps.applications.in_use
        stats = desk_of(deps.applications).stats() if in_use else None
    except Problem as problem:
        return {"application_stats": None, "application_problem": problem.detail}
    return {"application_stats": stats, "application_problem": None}


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list, the page of one application, the card, and their forms."""

    @router.get("/applications")
    def applications(request: Request) -> Response:
        query = read_query(request, ApplicationQuery)
        wanted, desk = wanted_of(deps, query), deps.applications
        found = ApplicationList(items=(), next=None)
        if desk is not None:
            found = desk.page(wanted, limit=query.limit, after=query.after)
        given = query.given()
        return pages.page(
            request,
            "applications.html",
            health=deps.collector.health(),
            rows=found.items,
            statuses={} if desk is None else desk.statuses(),
            given={name: given.get(name) for name in ApplicationQuery.names()},
            chips=[_chip(given, key) for key in given],
            csv=f"/api/applications?{urlencode({**given, 'format': 'csv'})}",
            older=f"/applications?{urlencode({**given, 'after': found.next})}" if found.next else None,
            newest=f"/applications?{urlencode(given)}" if query.after else None,
            **card_of(deps),
        )

    @router.get("/partials/application-stats")
    def card() -> Response:
        return pages.fragment("fragments/application_stats.html", **card_of(deps))

    @router.get("/applications/{name}")
    def application(request: Request, name: str) -> Response:
        query = read_query(request, DonePage)
        return pages.page(
            request,
            "application.html",
            health=deps.collector.health(),
            one=desk_of(deps.applications).get(name),
            statuses=STATUSES,
            editable=may_change(request),
            notice=_DONE.get(query.done or ""),
        )

    _add_forms(router, deps)


def _add_forms(router: APIRouter, deps: WebDeps) -> None:
    @router.post("/applications/{name}/status")
    async def set_status(request: Request, name: str) -> Response:
        form = await read_form(request, "status", "at", "note")
        await run_in_threadpool(
            desk_of(deps.applications).set_status,
            name,
            form["status"],
            at=form["at"] or None,
            note=form["note"],
            by=actor(request, _BY),
        )
        return _back(name, "status")

    @router.post("/applications/{name}/notes")
    async def note(request: Request, name: str) -> Response:
        form = await read_form(request, "text")
        await run_in_threadpool(desk_of(deps.applications).note, name, form["text"], by=actor(request, _BY))
        return _back(name, "note")

    @router.post("/applications/{name}/edit")
    async def edit(request: Request, name: str) -> Response:
        form = await read_form(request, *_FACTS)
        await run_in_threadpool(desk_of(deps.applications).edit, name, by=actor(request, _BY), **form)
        return _back(name, "edit")


def _back(name: str, done: str) -> Response:
    return RedirectResponse(f"/applications/{quote(name, safe='')}?done={done}", status_code=303)


def _chip(given: dict[str, str], key: str) -> Chip:
    rest = urlencode({name: value for name, value in given.items() if name != key})
    value = next((badge.word for status, badge in APPLICATION_WORDS.items() if status == given[key]), given[key])
    return Chip(_WORDS.get(key, key), value, f"/applications?{rest}" if rest else "/applications")
