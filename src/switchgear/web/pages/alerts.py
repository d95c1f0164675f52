"""Alerts: what is wrong now, who was told, and what was wrong of late?"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.alerts.silences import BadSilence, read_matchers
from switchgear.alerts.views import board_of
from switchgear.web.alerting import acknowledge, send_test, silence, unsilence
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]

_BY: Final = "dashboard"
_SHOWN: Final = 100
_DONE: Final = {
    "silenced": "The silence is in force.",
    "ended": "The silence is over.",
    "acknowledged": "Noted: nobody is told of it again.",
    "tested": "The channel has taken the test message.",
}


class AlertPageQuery(NoQuery):
    """Of ``/alerts``."""

    done: str | None = None
    silence: str | None = None


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page with its partial, and its forms."""

    def board(request: Request) -> dict[str, Any]:
        found = None if deps.alerts is None else board_of(deps.alerts)
        return {"board": found, "most": _SHOWN, "editable": may_change(request)}

    @router.get("/alerts")
    def alerts(request: Request) -> Response:
        query = read_query(request, AlertPageQuery)
        return pages.page(
            request,
            "alerts.html",
            health=deps.collector.health(),
            notice=_DONE.get(query.done or ""),
            matchers=query.silence or "",
            **board(request),
        )

    @router.get("/partials/alerts")
    def partial(request: Request) -> Response:
        return pages.fragment("fragments/alerts.html", **board(request))

    @router.post("/alerts/silences")
    async def add_silence(request: Request) -> Response:
        form = await read_form(request, "matchers", "duration", "reason")
        try:
            matchers = read_matchers(form["matchers"])
        except BadSilence as error:
            raise Problem(400, f"matchers: {error}.", key="matchers") from None
        await run_in_threadpool(
            silence, deps, matchers, duration=form["duration"], by=actor(request, _BY), reason=form["reason"]
        )
        return RedirectResponse("/alerts?done=silenced#silences", status_code=303)

    @router.post("/alerts/silences/end")
    async def end_silence(request: Request) -> Response:
        form = await read_form(request, "id")
        await run_in_threadpool(unsilence, deps, form["id"], by=actor(request, _BY))
        return RedirectResponse("/alerts?done=ended#silences", status_code=303)

    @router.post("/alerts/ack")
    async def ack(request: Request) -> Response:
        form = await read_form(request, "key", "note")
        await run_in_threadpool(acknowledge, deps, form["key"], by=actor(request, _BY), note=form["note"])
        return RedirectResponse("/alerts?done=acknowledged", status_code=303)

    @router.post("/alerts/test")
    async def test(request: Request) -> Response:
        form = await read_form(request, "channel")
        await run_in_threadpool(send_test, deps, form["channel"])
        return RedirectResponse("/alerts?done=tested#channels", status_code=303)
