"""``/api/keys``: the Switchgear keys, without anything that could be used."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.key_item import KeyList, key_item
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]

BODIES: Final = (KeyList,)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the route."""

    @router.get("/api/keys", summary="Switchgear keys, without their secrets", responses=documented(KeyList, 400, 503))
    def keys(request: Request) -> Response:
        read_query(request, NoQuery)
        now = deps.now()
        return answer(KeyList(items=tuple(key_item(key, now) for key in deps.reader.known_keys())))
