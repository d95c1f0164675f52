"""``/api/metrics`` as JSON and ``/metrics`` for Prometheus: the same snapshot."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.metrics import MetricsSnapshot
from switchgear.telemetry.prometheus import CONTENT_TYPE, PrometheusPage
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented
from switchgear.web.running import capacity_of

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (MetricsSnapshot,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""
    prometheus = PrometheusPage(deps.collector, deps.version, runner=lambda: capacity_of(deps).numbers())

    @router.get("/api/metrics", summary="Snapshot of all metrics", responses=documented(MetricsSnapshot, 400, 503))
    def metrics(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(deps.collector.snapshot())

    @router.get(
        "/metrics",
        summary="The same for Prometheus",
        responses={200: {"description": "Prometheus text format", "content": {"text/plain": {}}}},
    )
    def metrics_text() -> Response:
        return Response(prometheus.render(), headers={"Content-Type": CONTENT_TYPE})
