"""One budget: its page, and the form that changes its limit."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.insight.budget_memory import BudgetMemory
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.budget_terms import terms_of
from switchgear.web.commands import change_budget
from switchgear.web.deps import WebDeps
from switchgear.web.pages.budget_detail import BudgetQuery, budget_context
from switchgear.web.problems import Problem
from switchgear.web.queries import read_query, zone_of
from switchgear.web.render import Pages

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page and the form."""
    memory = BudgetMemory(deps.reader.usage, deps.zone)

    @router.get("/budgets/{name:path}")
    def budget(request: Request, name: str) -> Response:
        query = read_query(request, BudgetQuery)
        every = deps.collector.budgets()
        terms = terms_of(deps.config, every, name)
        context = budget_context(deps, memory, terms, [each for each in every if each.name == name], query)
        context["editable"] &= may_change(request)
        return pages.page(
            request, "budget.html", health=deps.collector.health(), zone=zone_of(query, deps.zone), **context
        )

    @router.post("/budgets/{name:path}/limit")
    async def set_limit(request: Request, name: str) -> Response:
        terms = terms_of(deps.config, deps.collector.budgets(), name)
        form = await read_form(request, "limit", "note", "sure")
        if form["sure"] != "yes":
            raise Problem(400, "Tick that the new limit is to hold at once; nothing was changed.", key="sure")
        if not form["note"]:
            raise Problem(400, "Say why: the note goes into the audit trail. Nothing was changed.", key="note")
        await run_in_threadpool(
            change_budget,
            deps.commands,
            name,
            unit=terms.unit,
            limit=form["limit"],
            by=actor(request, "dashboard"),
            note=form["note"],
        )
        # The name is one that is known, and quoted: the way back can't lead elsewhere.
        return RedirectResponse(f"/budgets/{quote(name, safe='')}?changed=1", status_code=303)
