"""``/api/breakers``: the live numbers of every breaker."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import CircuitBreakerMetrics
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]


class BreakerList(msgspec.Struct, frozen=True, kw_only=True):
    """Breakers, one a service. All are on one page: *next* is null."""

    items: tuple[CircuitBreakerMetrics, ...]
    next: str | None = None


BODIES: Final = (BreakerList,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get("/api/breakers", summary="Breakers, one a service", responses=documented(BreakerList, 400))
    def breakers(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(BreakerList(items=deps.collector.breakers()))
