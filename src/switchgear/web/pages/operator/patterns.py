"""``/-/patterns``: every widget in every state, to be looked at and tested."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.calls import CallStatus
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.words import BREAKER_WORDS, BUDGET_WORDS, HEALTH_WORDS, VERDICT_WORDS, call_badge

__all__ = ["add_routes"]

_STATUSES: Final[tuple[CallStatus, ...]] = ("ok", "failed", "refused", "cancelled", "orphaned", "reserved")
_BARS: Final = (
    ("ok", 0, 0, None, "Nothing spent"),
    ("ok", 42, 6, 71, "Some spent, some reserved, the rest expected"),
    ("warn", 83, 9, 100, "Above a threshold, expected to be used up"),
    ("crit", 100, 0, None, "Used up"),
    ("idle", 30, 0, None, "Not enforced"),
)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""

    @router.get("/-/patterns")
    def patterns(request: Request) -> Response:
        read_query(request, NoQuery)
        return pages.page(
            request,
            "operator/patterns.html",
            health=deps.collector.health(),
            badges=[
                ("Health", list(HEALTH_WORDS.values())),
                ("Breaker", list(BREAKER_WORDS.values())),
                ("Budget", list(BUDGET_WORDS.values())),
                ("Call", [call_badge(status, None) for status in _STATUSES]),
                ("Rule", list(VERDICT_WORDS.values())),
            ],
            bars=_BARS,
            amounts=[0, 4_200, 4_200_000, 12_400_000_000, 1_234_567_890_000_000, None],
            counts=[0, 999, 7_100, 71_000, 1_200_000, None],
        )
