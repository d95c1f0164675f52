"""The profile: which layer takes the time and the money, and does it wait, work or try again?"""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.profile import MOST, read_profile
from switchgear.web.deps import WebDeps
from switchgear.web.profiling import ProfileQuery, profile_filter
from switchgear.web.queries import read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""

    @router.get("/profile")
    def profile_page(request: Request) -> Response:
        query = read_query(request, ProfileQuery)
        given = query.given()
        return pages.page(
            request,
            "profile.html",
            health=deps.collector.health(),
            profile=read_profile(deps.reader, profile_filter(query, deps.zone)),
            asked=query,
            given=given,
            address=f"?{urlencode(given)}" if given else "",
            most=MOST,
        )
