"""Calls: what went out, for whom, at what cost, and what was refused?"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from switchgear.calls import Unit
from switchgear.insight.call_item import CallList
from switchgear.insight.outcomes import OUTCOMES
from switchgear.insight.page_sheets import calls_csv
from switchgear.insight.story import story_of
from switchgear.ledger.views import CallRow
from switchgear.money import format_usd
from switchgear.web.api.calls import find_call, read_calls
from switchgear.web.deps import WebDeps
from switchgear.web.queries import CallQuery, ZoneQuery, call_filter, read_query, zone_of
from switchgear.web.questions import csv_answer
from switchgear.web.render import Pages
from switchgear.web.respond import answer
from switchgear.web.words import outcome_words, rule_badge

__all__ = ["Chip", "add_routes"]

_WORDS: Final = {"from": "from", "to": "to", "trace_id": "trace", "refused_by": "refused by"}
_UNITS: Final[dict[Unit, str]] = {"tokens": " tokens", "requests": " requests", "calls": " in flight"}


class CallPageQuery(CallQuery):
    """Of ``/calls``."""

    live: Annotated[Literal["0", "1"], Field(description="1: rows are added as they come")] = "0"


class Chip(msgspec.Struct, frozen=True):
    """A filter that is on, and the address of the page without it."""

    name: str
    value: str
    without: str


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the list and the page of one call."""

    @router.get("/calls")
    def calls(request: Request) -> Response:
        query = read_query(request, CallPageQuery)
        zone = zone_of(query, deps.zone)
        # Before the rows: a stream that goes on from here shows what comes between the two.
        place = deps.reader.tail.last()
        page = read_calls(deps, call_filter(query, zone), query)
        return pages.page(
            request,
            "calls.html",
            health=deps.collector.health(),
            zone=zone,
            rows=page.items,
            services=list(deps.config.services),
            outcomes=[(outcome, outcome_words(outcome)) for outcome in OUTCOMES],
            base_url=str(request.base_url).rstrip("/"),
            configured=deps.config.services,
            place=place,
            **_links(query, page.next),
        )

    @router.get("/calls.json")
    def calls_json(request: Request) -> Response:
        return answer(listed(request)[0])

    @router.get("/calls.csv")
    def calls_table(request: Request) -> Response:
        found, following = listed(request)
        file = csv_answer(calls_csv(found.items), "calls")
        if following:
            file.headers["Link"] = f'<{following}>; rel="next"'
        return file

    def listed(request: Request) -> tuple[CallList, str | None]:
        query = read_query(request, CallQuery)
        found = CallList.of(read_calls(deps, call_filter(query, zone_of(query, deps.zone)), query))
        asked = query.model_dump(by_alias=True, exclude_unset=True, exclude={"after"})
        return found, f"/calls.csv?{urlencode({**asked, 'after': found.next})}" if found.next else None

    @router.get("/calls/{call_id}")
    def call(request: Request, call_id: str) -> Response:
        query = read_query(request, ZoneQuery)
        rows = find_call(deps, call_id)
        return pages.page(
            request,
            "call.html",
            zone=zone_of(query, deps.zone),
            health=deps.collector.health(),
            rows=rows,
            last=rows[-1],
            cost=_sum(rows),
            refusal=_refusal_facts(rows[-1]),
            admission=story_of(rows),
            rule_badge=rule_badge,
        )


def _links(query: CallPageQuery, following: str | None) -> dict[str, Any]:
    """Return where to go from the page: fewer filters, the page before and after, the same numbers, the live list."""
    asked = query.given()
    zone = {"tz": query.tz} if query.tz else {}
    paging = asked | zone | ({"limit": str(query.limit)} if "limit" in query.model_fields_set else {})
    live = {"live": "1"} if query.live == "1" else {}
    return {
        "given": {name: asked.get(name) for name in CallQuery.names()},
        "chips": [
            Chip(_WORDS.get(key, key), _value(key, asked[key]), _without(asked | zone | live, key)) for key in asked
        ],
        "tz": query.tz,
        "live": query.live == "1",
        "bare": _without(zone, ""),
        "older": f"/calls?{urlencode({**paging, 'after': following})}" if following else None,
        "newest": _without(paging, "") if query.after else None,
        "live_on": None if query.after else f"/calls?{urlencode({**paging, 'live': '1'})}",
        "live_off": _without(paging, ""),
        "stream": urlencode(asked | zone),
        "downloads": urlencode(query.model_dump(by_alias=True, exclude_unset=True, exclude={"live"})),
    }


def _value(key: str, value: str) -> str:
    if key != "outcome":
        return value
    return next(outcome_words(outcome) for outcome in OUTCOMES if outcome == value)


def _without(given: dict[str, str], key: str) -> str:
    rest = urlencode({name: value for name, value in given.items() if name != key})
    return f"/calls?{rest}" if rest else "/calls"


def _sum(rows: tuple[CallRow, ...]) -> int | None:
    """Return what all attempts cost together; None when any that went out has no known cost."""
    went_out = [row.cost for row in rows if row.status != "refused"]
    known = [cost for cost in went_out if cost is not None]
    return sum(known) if known and len(known) == len(went_out) else None


def _refusal_facts(row: CallRow) -> list[tuple[str, str]]:
    """Return the numbers of the decision, in the unit of its rule."""
    facts: dict[str, Any] = row.refusal or {}
    unit = facts.get("unit")

    def amount(number: int) -> str:
        return format_usd(number) if unit == "usd" else f"{number:,}{_UNITS.get(unit, '')}"  # type: ignore[arg-type]  # a unit as the ledger wrote it

    names = (
        ("limit", "Limit"),
        ("used", "Used"),
        ("reserved", "Held by calls in flight"),
        ("needed", "This call needed"),
    )
    return [
        *([("Rule", str(facts["rule"]))] if facts.get("rule") else []),
        *((title, amount(facts[name])) for name, title in names if facts.get(name) is not None),
    ]
