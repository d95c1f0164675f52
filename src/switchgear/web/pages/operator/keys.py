"""``/-/keys``: the Switchgear keys, without anything that could be used."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.insight.key_item import key_item
from switchgear.ledger.key_rows import KeyState
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages
from switchgear.web.words import Badge

__all__ = ["add_routes"]

_BADGES: Final[dict[KeyState, Badge]] = {
    "active": Badge("ok", "Active"),
    "expired": Badge("warn", "Expired"),
    "revoked": Badge("idle", "Revoked"),
}


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""

    @router.get("/-/keys")
    def keys(request: Request) -> Response:
        read_query(request, NoQuery)
        now = deps.now()
        return pages.page(
            request,
            "operator/keys.html",
            health=deps.collector.health(),
            keys=[key_item(key, now) for key in deps.reader.known_keys()],
            badges=_BADGES,
            required=deps.config.server.require_keys,
        )
