"""One service: its breaker over time and why it changed, how full its limits are, and what an operator may say."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.clock import MICROS
from switchgear.config.model import ServiceConfig
from switchgear.config.units import format_duration
from switchgear.insight.days import from_micros
from switchgear.insight.episodes import COUNTED, Episode, episodes_of, failures_of, stretches_of
from switchgear.insight.metrics import CircuitBreakerMetrics
from switchgear.insight.strips import HOURS, service_strips, strip_of
from switchgear.ledger.views import CallFilter
from switchgear.web.auth.door import actor, may_change
from switchgear.web.bodies import read_form
from switchgear.web.commands import order_breaker
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import ZoneQuery, read_query, zone_of
from switchgear.web.render import Pages
from switchgear.web.service_strip import service_strip

__all__ = ["add_routes"]

_HOUR: Final = 3600 * MICROS
_CALLS: Final = 10
_CHANGES: Final = 200
_EPISODES: Final = 5
_ORDERS: Final = 5


class ServiceQuery(ZoneQuery):
    """Of ``/services/NAME``."""

    done: str | None = None


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page, and the form that gives the breaker an order."""

    @router.get("/services/{name}")
    def service(request: Request, name: str) -> Response:
        query = read_query(request, ServiceQuery)
        config = _config(deps, name)
        snapshot = deps.collector.snapshot()
        now = deps.now()
        breaker = next((each for each in snapshot.breakers if each.service == name), None)
        return pages.page(
            request,
            "service.html",
            zone=zone_of(query, deps.zone),
            health=snapshot.health,
            name=name,
            breaker=breaker,
            hour=next((each for each in snapshot.health.services if each.name == name), None),
            limits=[limit for limit in snapshot.limits if limit.service == name],
            latency=deps.reader.latency(since=now - _HOUR, until=now, service=name),
            calls=deps.reader.calls(CallFilter(service=name), limit=_CALLS).items,
            failures=failures_of(deps.reader, name, now=now),
            orders=deps.reader.trail.about("breaker_ordered", name, limit=_ORDERS),
            settings=_settings(config),
            base_url=str(request.base_url).rstrip("/"),
            editable=deps.commands is not None and may_change(request) and breaker is not None,
            done=query.done is not None,
            address=f"/services/{quote(name, safe='')}",
            **_past(deps, name, breaker, now),
        )

    @router.post("/services/{name}/breaker")
    async def order(request: Request, name: str) -> Response:
        _config(deps, name)
        form = await read_form(request, "order", "note", "sure")
        if form["sure"] != "yes":
            raise Problem(400, "Tick that the order is to be carried out at once; nothing was done.", key="sure")
        await run_in_threadpool(
            order_breaker,
            deps.commands,
            name,
            order=form["order"],
            by=actor(request, "dashboard"),
            note=form["note"],
        )
        # The name is one of the configuration, and quoted: the way back can't lead elsewhere.
        return RedirectResponse(f"/services/{quote(name, safe='')}?done=1", status_code=303)


def _past(deps: WebDeps, name: str, breaker: CircuitBreakerMetrics | None, now: int) -> dict[str, Any]:
    """Return how the last day went, and the breaker's newest episodes."""
    changes = deps.reader.trail.about("breaker_changed", name, limit=_CHANGES)
    until = now + -now % (_HOUR // 4)
    since = until - HOURS * _HOUR
    slots = service_strips(deps.reader.usage, now=now).get(name) or strip_of(since, until)
    states = [] if breaker is None else stretches_of(changes, since=since, now=now, state=breaker.state)
    return {
        "strip": service_strip(slots, stretches=states),
        "episodes": episodes_of(deps.reader, name, changes, now=now, most=_EPISODES),
        "counted": COUNTED,
        "refused_calls": lambda episode: _refused_calls(name, episode),
    }


def _refused_calls(name: str, episode: Episode) -> str:
    span = {"from": _instant(episode.began)} | ({} if episode.ended is None else {"to": _instant(episode.ended + 1)})
    return "/calls?" + urlencode({"service": name, "outcome": "refused-breaker", **span})


def _instant(micros: int) -> str:
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def _config(deps: WebDeps, name: str) -> ServiceConfig:
    config = deps.config.services.get(name)
    if config is None:
        known = ", ".join(deps.config.services) or "none"
        detail = f"There is no service {name!r}. Known services: {known}."
        raise Problem(404, detail, valid=list(deps.config.services))
    return config


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
