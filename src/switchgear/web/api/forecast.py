"""``/api/forecast``: what each budget with a calendar period will have used at its end."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.forecast_budgets import BudgetForecast, forecasts, foreseeable
from switchgear.insight.metrics import BudgetMetrics
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import query_parameters, read_query
from switchgear.web.questions import ForecastQuery
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]


class ForecastList(msgspec.Struct, frozen=True, kw_only=True):
    """Forecasts by budget and value; budgets that are rolling or total have none."""

    items: tuple[BudgetForecast, ...]
    next: str | None = None


BODIES: Final = (ForecastList,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/forecast",
        summary="Budgets at the end of their periods, with 80 % bands",
        responses=documented(ForecastList, 400, 503),
        openapi_extra=query_parameters(ForecastQuery),
    )
    def forecast(request: Request) -> Response:
        query = read_query(request, ForecastQuery)
        known = {budget.name for budget in deps.config.budgets}
        if query.budget is not None and query.budget not in known:
            detail = f"budget: there is no budget {query.budget!r}. Valid: {', '.join(sorted(known)) or 'none'}."
            raise Problem(400, detail, key="budget", valid=sorted(known))
        last = None if query.after is None else _read(query.after)
        wanted = [
            budget
            for budget in sorted(filter(foreseeable, deps.collector.budgets()), key=_place)
            if query.budget in {None, budget.name}
            and query.value in {None, budget.value}
            and (last is None or _place(budget) > last)
        ]
        page = wanted[: query.limit]
        found = forecasts(deps.reader.usage, page, now=deps.now(), zone=deps.zone)
        return answer(ForecastList(items=found, next=_write(page[-1]) if len(wanted) > len(page) else None))


def _place(budget: BudgetMetrics) -> tuple[str, str]:
    return budget.name, budget.value or ""


def _write(budget: BudgetMetrics) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_place(budget))).decode().rstrip("=")


def _read(cursor: str) -> tuple[str, str]:
    try:
        text = base64.urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii"))
        return msgspec.json.decode(text, type=tuple[str, str])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise Problem(400, f"after: {cursor!r} is not the `next` of a page.", key="after") from None
