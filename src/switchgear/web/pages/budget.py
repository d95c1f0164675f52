"""One budget: its page, and the form that changes its limit."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.config.model import BudgetConfig
from switchgear.web.api.budgets import unit_of
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.commands import change_budget
from switchgear.web.deps import WebDeps
from switchgear.web.pages.budget_detail import BudgetQuery, budget_context
from switchgear.web.problems import Problem
from switchgear.web.queries import read_query, zone_of
from switchgear.web.render import Pages

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page and the form."""

    @router.get("/budgets/{name}")
    def budget(request: Request, name: str) -> Response:
        config = _config(deps, name)
        query = read_query(request, BudgetQuery)
        accounts = [each for each in deps.collector.budgets() if each.name == name]
        context = budget_context(deps, config, accounts, query)
        context["editable"] &= may_change(request)
        return pages.page(
            request, "budget.html", health=deps.collector.health(), zone=zone_of(query, deps.zone), **context
        )

    @router.post("/budgets/{name}/limit")
    async def set_limit(request: Request, name: str) -> Response:
        config = _config(deps, name)
        form = await read_form(request, "limit", "note", "sure")
        if form["sure"] != "yes":
            raise Problem(400, "Tick that the new limit is to hold at once; nothing was changed.", key="sure")
        if not form["note"]:
            raise Problem(400, "Say why: the note goes into the audit trail. Nothing was changed.", key="note")
        await run_in_threadpool(
            change_budget,
            deps.commands,
            name,
            unit=unit_of(config),
            limit=form["limit"],
            by=actor(request, "dashboard"),
            note=form["note"],
        )
        # The name is one of the configuration, and quoted: the way back can't lead elsewhere.
        return RedirectResponse(f"/budgets/{quote(name, safe='')}?changed=1", status_code=303)


def _config(deps: WebDeps, name: str) -> BudgetConfig:
    config = next((each for each in deps.config.budgets if each.name == name), None)
    if config is None:
        known = [each.name for each in deps.config.budgets]
        detail = f"There is no budget {name!r}. Known budgets: {', '.join(known) or 'none'}."
        raise Problem(404, detail, valid=known)
    return config
