"""``/api/budgets``: the live numbers of every budget."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import BudgetMetrics
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]


class BudgetList(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets, one for each value where the budget has an `each`. All are on one page: *next* is null."""

    items: tuple[BudgetMetrics, ...]
    next: str | None = None


BODIES: Final = (BudgetList,)


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
