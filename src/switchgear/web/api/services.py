"""``/api/services``: every service as configured and as it is."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.service_item import ServiceList
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (ServiceList,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get("/api/services", summary="Services", responses=documented(ServiceList, 400))
    def services(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(ServiceList.of(deps.config, deps.collector))
