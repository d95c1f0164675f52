"""The pages under ``/-/`` for whoever runs Switchgear, one file a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from switchgear.web.pages.operator import audit, config, doctor, keys, patterns, prices, versions
from switchgear.web.queries import NoQuery, read_query

if TYPE_CHECKING:
    from fastapi import APIRouter

    from switchgear.web.deps import WebDeps
    from switchgear.web.render import Pages

__all__ = ["add_routes"]

_PAGES: Final = (doctor, config, prices, keys, audit, versions, patterns)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add every page, and the one that lists them."""

    @router.get("/-/")
    @router.get("/-", include_in_schema=False)
    def operator(request: Request) -> Response:
        read_query(request, NoQuery)
        return pages.page(request, "operator/index.html", health=deps.collector.health())

    for page in _PAGES:
        page.add_routes(router, deps, pages)
