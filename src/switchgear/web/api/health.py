"""``/api/health``: the overall status with its reasons."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.events import CircuitName
from switchgear.insight.days import from_micros
from switchgear.insight.metrics import HealthStatus
from switchgear.runner.items import CapacityItem
from switchgear.web.deps import ProcessFacts, WebDeps
from switchgear.web.queries import HealthQuery, query_parameters, read_query
from switchgear.web.respond import answer, documented
from switchgear.web.running import capacity_of

__all__ = ["BODIES", "add_routes"]


class HealthOfService(msgspec.Struct, frozen=True, kw_only=True):
    """One service; *calls*, *failed* and *refused* are of the last hour."""

    status: HealthStatus
    critical: bool
    breaker: CircuitName
    since: dt.datetime | None
    text: str
    calls: int
    failed: int
    refused: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The overall status; *reasons* are sentences, the worst first."""

    status: HealthStatus
    reasons: tuple[str, ...]
    services: dict[str, HealthOfService]
    runner: CapacityItem
    generated_at: dt.datetime
    started_at: dt.datetime
    version: str
    process: ProcessFacts


BODIES: Final = (Health,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/health",
        summary="Overall status: 200 when healthy or degraded, 503 when unhealthy",
        responses=documented(Health, 400, also=(503,)),
        openapi_extra=query_parameters(HealthQuery),
    )
    def health(request: Request) -> Response:
        strict = read_query(request, HealthQuery).strict == "1"
        found = deps.collector.health()
        body = Health(
            status=found.status,
            reasons=tuple(reason.text for reason in found.reasons),
            services={
                service.name: HealthOfService(
                    **{name: getattr(service, name) for name in HealthOfService.__struct_fields__}
                )
                for service in found.services
            },
            runner=capacity_of(deps),
            generated_at=from_micros(deps.now()),
            started_at=from_micros(deps.started_at),
            version=deps.version,
            process=deps.process,
        )
        bad = strict and found.status == "unhealthy"
        return answer(body, status=HTTPStatus.SERVICE_UNAVAILABLE if bad else HTTPStatus.OK)
