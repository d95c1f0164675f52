"""Services: what is open, how full are the limits, and why did a breaker change?"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.clock import MICROS
from switchgear.config.model import ServiceConfig
from switchgear.config.units import format_duration
from switchgear.insight.metrics import MetricsSnapshot
from switchgear.insight.page_sheets import ServiceLines, services_csv
from switchgear.ledger.views import CallFilter, EventRow
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import ZoneQuery, read_query, zone_of
from switchgear.web.questions import csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer

__all__ = ["add_routes"]

_HOUR: Final = 3600 * MICROS
_CALLS: Final = 10
_CHANGES: Final = 10
_EVENTS: Final = 500


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list and the page of one service."""

    def lines(request: Request) -> tuple[MetricsSnapshot, ServiceLines]:
        zone_of(read_query(request, ZoneQuery), deps.zone)
        snapshot = deps.collector.snapshot()
        found = ServiceLines.of(
            snapshot, config=deps.config, collector=deps.collector, reader=deps.reader, now=deps.now()
        )
        return snapshot, found

    @router.get("/services")
    def services(request: Request) -> Response:
        query = read_query(request, ZoneQuery)
        snapshot, found = lines(request)
        return pages.page(
            request,
            "services.html",
            health=snapshot.health,
            services=found.items,
            zone=zone_of(query, deps.zone),
        )

    @router.get("/services.json")
    def services_json(request: Request) -> Response:
        return answer(lines(request)[1])

    @router.get("/services.csv")
    def services_table(request: Request) -> Response:
        return csv_answer(services_csv(lines(request)[1].items), "services")

    @router.get("/services/{name}")
    def service(request: Request, name: str) -> Response:
        query = read_query(request, ZoneQuery)
        config = deps.config.services.get(name)
        if config is None:
            known = ", ".join(deps.config.services) or "none"
            detail = f"There is no service {name!r}. Known services: {known}."
            raise Problem(404, detail, valid=list(deps.config.services))
        snapshot = deps.collector.snapshot()
        now = deps.now()
        return pages.page(
            request,
            "service.html",
            zone=zone_of(query, deps.zone),
            health=snapshot.health,
            name=name,
            breaker=next((each for each in snapshot.breakers if each.service == name), None),
            hour=next((each for each in snapshot.health.services if each.name == name), None),
            limits=[limit for limit in snapshot.limits if limit.service == name],
            latency=deps.reader.latency(since=now - _HOUR, until=now, service=name),
            calls=deps.reader.calls(CallFilter(service=name), limit=_CALLS).items,
            changes=_changes(deps, name),
            settings=_settings(config),
            base_url=str(request.base_url).rstrip("/"),
        )


def _changes(deps: WebDeps, name: str) -> list[EventRow]:
    events = deps.reader.events(kind="breaker_changed", limit=_EVENTS)
    return [event for event in events if event.subject == name][:_CHANGES]


def _settings(config: ServiceConfig) -> list[tuple[str, str]]:
    """Return the configuration in force; where a key comes from is told, the key never."""
    key = "the caller's own"
    if config.api_key_env:
        key = f"from ${config.api_key_env}"
    elif config.api_key_file:
        key = "from a file"
    return [
        ("Kind", config.kind),
        ("Upstream", _without_credentials(config.base_url)),
        ("Key", key),
        ("Critical", "yes" if config.critical else "no"),
        ("Longest wait for a limit", format_duration(config.max_wait)),
        ("Time-out", format_duration(config.timeout)),
        ("Attempts", str(config.retry.attempts)),
        ("Calls without a price", config.unpriced or "default"),
    ]


def _without_credentials(url: str | None) -> str:
    if url is None:
        return "-"
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
