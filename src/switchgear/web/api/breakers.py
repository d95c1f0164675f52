"""``/api/breakers``: the live numbers of every breaker, and what an operator says to one."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from switchgear.governor.breaker_desk import BreakerOrdered
from switchgear.insight.metrics import CircuitBreakerMetrics
from switchgear.web.auth.door import actor
from switchgear.web.bodies import read_json
from switchgear.web.commands import order_breaker
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented, request_body

__all__ = ["BODIES", "add_routes"]


class BreakerList(msgspec.Struct, frozen=True, kw_only=True):
    """Breakers, one a service. All are on one page: *next* is null."""

    items: tuple[CircuitBreakerMetrics, ...]
    next: str | None = None


class BreakerCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a breaker is to do: ``open``, ``close`` or ``reset``; *by* and *note* go into the audit trail."""

    order: str
    note: str
    by: str = "api"


BODIES: Final = (BreakerList, BreakerCommand, BreakerOrdered)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""

    @router.get("/api/breakers", summary="Breakers, one a service", responses=documented(BreakerList, 400))
    def breakers(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(BreakerList(items=deps.collector.breakers()))

    @router.put(
        "/api/breakers/{service}",
        summary="Force a breaker open, close or reset it, at once and on record",
        responses=documented(BreakerOrdered, 400, 403, 404, 413, 415, 503),
        openapi_extra=request_body(BreakerCommand),
    )
    async def order(request: Request, service: str) -> Response:
        command = await read_json(request, BreakerCommand)
        done = await run_in_threadpool(
            order_breaker,
            deps.commands,
            service,
            order=command.order,
            by=actor(request, command.by),
            note=command.note,
        )
        return answer(done)
