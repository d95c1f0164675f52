"""Budgets: how much is left, and what happens when it is gone?"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.render import Pages

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list and the page of one budget."""

    @router.get("/budgets")
    def budgets(request: Request) -> Response:
        snapshot = deps.collector.snapshot()
        return pages.page(request, "budgets.html", health=snapshot.health, budgets=snapshot.budgets)

    @router.get("/budgets/{name}")
    def budget(request: Request, name: str) -> Response:
        config = next((each for each in deps.config.budgets if each.name == name), None)
        if config is None:
            known = [each.name for each in deps.config.budgets]
            detail = f"There is no budget {name!r}. Known budgets: {', '.join(known) or 'none'}."
            raise Problem(404, detail, valid=known)
        snapshot = deps.collector.snapshot()
        return pages.page(
            request,
            "budget.html",
            health=snapshot.health,
            config=config,
            accounts=[each for each in snapshot.budgets if each.name == name],
        )
