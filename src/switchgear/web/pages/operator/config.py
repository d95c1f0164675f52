"""``/-/config``: every value in force and where it is from, without a secret."""

from __future__ import annotations

import json
from itertools import groupby

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.config.effective import Setting
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]


class ConfigQuery(NoQuery):
    """Of the page; *all*: defaults too."""

    all: str | None = None


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""

    @router.get("/-/config")
    def config(request: Request) -> Response:
        everything = read_query(request, ConfigQuery).all is not None
        settings = deps.settings()
        shown = [each for each in settings if everything or each.source != "default"]
        return pages.page(
            request,
            "operator/config.html",
            health=deps.collector.health(),
            sections=[(name, list(group)) for name, group in groupby(shown, key=_section)],
            known=bool(settings),
            hidden=len(settings) - len(shown),
            written=lambda value: json.dumps(value, ensure_ascii=False),
        )


def _section(setting: Setting) -> str:
    return setting.key.partition(".")[0].partition("[")[0]
