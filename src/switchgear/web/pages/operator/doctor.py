"""``/-/doctor``: what ``switchgear doctor`` checks, as far as it can be seen from inside."""

from __future__ import annotations

import os
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.checks.clock import check_clock
from switchgear.insight.checks.exports import check_exports
from switchgear.insight.checks.finding import Finding, Level
from switchgear.insight.checks.keys import check_keys
from switchgear.insight.checks.ledger import check_records
from switchgear.insight.checks.prices import check_prices
from switchgear.ledger.home import home_of
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.words import Badge

__all__ = ["add_routes"]

_BADGES: Final[dict[Level, Badge]] = {
    "ok": Badge("ok", "OK"),
    "warn": Badge("warn", "Warning"),
    "fail": Badge("crit", "Failed"),
}


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""

    @router.get("/-/doctor")
    def doctor(request: Request) -> Response:
        read_query(request, NoQuery)
        findings = _findings(deps)
        return pages.page(
            request,
            "operator/doctor.html",
            health=deps.collector.health(),
            findings=findings,
            counts={level: sum(each.level == level for each in findings) for level in _BADGES},
            badges=_BADGES,
        )


def _findings(deps: WebDeps) -> list[Finding]:
    config = deps.config
    problem = deps.collector.ledger_problem()
    found = [Finding("ok", "config", f"services: {len(config.services)}, budgets: {len(config.budgets)}")]
    found += check_keys(config, os.environ)
    found += [Finding("fail", "ledger", problem)] if problem is not None else []
    found += check_records(deps.reader, home_of(config.ledger.url).name, deps.clock)
    found += check_exports(deps.collector.exports())
    return [*found, *check_prices(deps.clock), *check_clock(deps.clock)]
