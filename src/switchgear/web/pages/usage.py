"""Usage: what was used, by whom, compared with the time before?"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.days import from_micros
from switchgear.insight.questions import GROUPS, Span
from switchgear.insight.service_item import providers_of
from switchgear.insight.sheets import usage_csv
from switchgear.insight.usage import from_rows
from switchgear.insight.usage_series import TREND_RULE, UsageSeries, usage_series
from switchgear.web.deps import WebDeps
from switchgear.web.format import tokens, usd
from switchgear.web.pages.marks import marks
from switchgear.web.queries import read_query
from switchgear.web.questions import answerable, csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer
from switchgear.web.usage_chart import usage_chart
from switchgear.web.usage_questions import (
    BUCKETS,
    METRICS,
    RANGES,
    UsagePageQuery,
    UsageTime,
    question_of,
    time_of,
)

__all__ = ["add_routes"]

_TO_CALLS: Final = {"service", "model", "layer", "key", "job", "run", "status"}


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page, its partial, and its numbers as JSON and CSV."""

    @router.get("/usage")
    def usage_page(request: Request) -> Response:
        query = read_query(request, UsagePageQuery)
        return pages.page(request, "usage.html", health=deps.collector.health(), **_context(deps, query))

    @router.get("/partials/usage-graphs")
    def usage_graphs(request: Request) -> Response:
        query = read_query(request, UsagePageQuery)
        return pages.fragment("fragments/usage_graphs.html", **_context(deps, query))

    @router.get("/usage.json")
    def usage_json(request: Request) -> Response:
        return answer(_series(deps, read_query(request, UsagePageQuery))[0].report)

    @router.get("/usage.csv")
    def usage_table(request: Request) -> Response:
        return csv_answer(usage_csv(_series(deps, read_query(request, UsagePageQuery))[0].report), "usage")


def _series(deps: WebDeps, query: UsagePageQuery) -> tuple[UsageSeries, UsageTime]:
    now = deps.now()
    with answerable():
        time = time_of(query, now=now, zone=deps.zone)
        series = usage_series(
            deps.reader.usage,
            question_of(query, time),
            compare=time.compare,
            now=now,
            zone=time.zone,
            providers=providers_of(deps.config),
            first=tuple(deps.config.services) if query.by == "service" else (),
        )
    return series, time


def _context(deps: WebDeps, query: UsagePageQuery) -> dict[str, Any]:
    series, time = _series(deps, query)
    given = query.given()
    by = series.report.by[0]
    shown: Callable[[Decimal | None], str] = usd if query.metric == "cost" else _count
    return {
        "series": series,
        "chart": usage_chart(series),
        "marks": marks(deps.reader, time.span),
        "shown": shown,
        "time": time,
        "zone": time.zone,
        "asked": query,
        "by": by,
        "metrics": METRICS,
        "ranges": RANGES,
        "buckets": BUCKETS,
        "groups": [*GROUPS, *([by] if by not in GROUPS else [])],
        "trend_rule": TREND_RULE,
        "from_rows": from_rows(series.report.by),
        "address": "?" + urlencode(given) if given else "",
        "range_links": [(name, words, _with(given, name)) for name, words in RANGES.items()],
        "calls_of": lambda group: _calls_of(by, group, time.span, query),
        "services": list(deps.config.services),
        "first_run": deps.reader.usage.extent() is None,
        "base_url": None,
    }


def _count(value: Decimal | None) -> str:
    return tokens(None if value is None else int(value))


def _with(given: dict[str, str], name: str) -> str:
    rest = {key: value for key, value in given.items() if key not in {"range", "from", "to", "bucket"}}
    return "/usage?" + urlencode({**rest, "range": name})


def _calls_of(by: str, group: str | None, span: Span, query: UsagePageQuery) -> str | None:
    """Return the address of the calls of one row; None: the calls page can't tell them apart."""
    if by not in _TO_CALLS or group is None or span.since is None or span.until is None:
        return None
    filters = {"service": query.service, "model": query.model, "layer": query.layer, "key": query.key}
    asked = {key: value for key, value in filters.items() if value} | {by: group}
    return "/calls?" + urlencode({**asked, "from": _instant(span.since), "to": _instant(span.until)})


def _instant(micros: int) -> str:
    return from_micros(micros).isoformat().replace("+00:00", "Z")
