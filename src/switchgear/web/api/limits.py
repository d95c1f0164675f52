"""``/api/limits``: the live numbers of every limit."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import RateLimitMetrics
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]


class LimitList(msgspec.Struct, frozen=True, kw_only=True):
    """Limits with what is used of them. All are on one page: *next* is null."""

    items: tuple[RateLimitMetrics, ...]
    next: str | None = None


BODIES: Final = (LimitList,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get("/api/limits", summary="Limits with what is used of them", responses=documented(LimitList, 400))
    def limits(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(LimitList(items=deps.collector.limits()))
