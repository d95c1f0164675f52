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

_RUNS: Final = (
    "Runs",
    "This version runs no pipelines yet",
    (
        "Each run of a pipeline will be a row here: its layers, how far it is, what it has cost of its budget, and how "
        "to resume it. What calls say of their run is on record already."
    ),
    "/usage?by=run&range=30d",
    "Usage by run",
)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the pages."""

    def shell(request: Request, words: tuple[str, str, str, str, str]) -> Response:
        read_query(request, NoQuery)
        return pages.page(request, "shell.html", health=deps.collector.health(), words=words)

    @router.get("/runs")
    def runs(request: Request) -> Response:
        return shell(request, _RUNS)
