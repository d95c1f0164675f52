"""``/api/profile``: where time and money of calls go, by layer and model."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.profile import Profile, read_profile
from switchgear.web.deps import WebDeps
from switchgear.web.profiling import ProfileQuery, profile_filter
from switchgear.web.queries import query_parameters, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (Profile,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get(
        "/api/profile",
        summary="Where time and money go, by layer and model",
        responses=documented(Profile, 400, 503),
        openapi_extra=query_parameters(ProfileQuery),
    )
    def profile(request: Request) -> Response:
        query = read_query(request, ProfileQuery)
        return answer(read_profile(deps.reader, profile_filter(query, deps.zone)))
