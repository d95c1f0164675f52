"""Places of what this version has not got: they say what will be there, and pretend nothing."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]

_APPLICATIONS: Final = (
    "Applications",
    "This version writes no applications yet",
    (
        "The job pipeline will count here what it has sent: today, this week, this month and in all. "
        "What its calls cost is on record already, job by job."
    ),
    "/usage?by=job&range=30d",
    "Usage by job",
)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the pages."""

    def shell(request: Request, words: tuple[str, str, str, str, str]) -> Response:
        read_query(request, NoQuery)
        return pages.page(request, "shell.html", health=deps.collector.health(), words=words)

    @router.get("/applications")
    def applications(request: Request) -> Response:
        return shell(request, _APPLICATIONS)
