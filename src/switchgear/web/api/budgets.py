"""``/api/budgets``: the live numbers of every budget, and another limit for one."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from switchgear.events import BudgetChanged
from switchgear.insight.metrics import BudgetMetrics
from switchgear.web.auth.door import actor
from switchgear.web.bodies import read_json
from switchgear.web.budget_terms import terms_of
from switchgear.web.commands import change_budget
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented, request_body

__all__ = ["BODIES", "add_routes"]


class BudgetList(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets, one for each value where the budget has an `each`. All are on one page: *next* is null."""

    items: tuple[BudgetMetrics, ...]
    next: str | None = None


class BudgetChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another limit, in the budget's own unit, from now on; *by* and *note* go into the audit trail."""

    limit: str
    note: str
    by: str = "api"


BODIES: Final = (BudgetList, BudgetChange, BudgetChanged)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/budgets",
        summary="Budgets, one for each value where the budget has an `each`",
        responses=documented(BudgetList, 400),
    )
    def budgets(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(BudgetList(items=deps.collector.budgets()))

    @router.put(
        "/api/budgets/{name}/limit",
        summary="Give a budget another limit, at once and on record",
        responses=documented(BudgetChanged, 400, 403, 404, 413, 415, 503),
        openapi_extra=request_body(BudgetChange),
    )
    async def set_limit(request: Request, name: str) -> Response:
        change = await read_json(request, BudgetChange)
        unit = terms_of(deps.config, deps.collector.budgets(), name).unit
        made = await run_in_threadpool(
            change_budget,
            deps.commands,
            name,
            unit=unit,
            limit=change.limit,
            by=actor(request, change.by),
            note=change.note,
        )
        return answer(made)
