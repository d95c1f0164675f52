"""``/api/config``: every value in force and where it is from, and having the file read again."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.config.effective import Setting
from switchgear.errors import ConfigError
from switchgear.gateway.loopback import is_loopback
from switchgear.web.auth.door import actor, who
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]

_HEADER: Final = "x-switchgear-admin"
_NOT_A_BROWSER: Final = (
    f"This changes the server, so the request needs the header `{_HEADER}: 1` or a JSON body "
    "(which another site's page can't send), and has to come from this machine."
)


class SettingList(msgspec.Struct, frozen=True, kw_only=True):
    """Every key with its value. All are on one page: *next* is null."""

    items: tuple[Setting, ...]
    next: str | None = None


class ChangedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its values, null where there is no such key."""

    key: str
    old: Any
    new: Any


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What reading the configuration again has changed; empty: nothing."""

    changes: tuple[ChangedKey, ...]


_MEANT: Final = {
    "name": _HEADER,
    "in": "header",
    "required": False,
    "description": "1: it is meant, so no page elsewhere has sent it; or the body is JSON",
    "schema": {"type": "string", "enum": ["1"]},
}

BODIES: Final = (SettingList, Reloaded)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""

    @router.get("/api/config", summary="Configuration in force", responses=documented(SettingList, 400))
    def settings(request: Request) -> Response:
        read_query(request, NoQuery)
        return answer(SettingList(items=deps.settings()))

    @router.post(
        "/api/config/reload",
        summary="Read the configuration again",
        responses=documented(Reloaded, 400, 403, 503),
        openapi_extra={"parameters": [_MEANT]},
    )
    def reload(request: Request) -> Response:
        read_query(request, NoQuery)
        if not _is_meant(request) or not _is_from_here(request):
            raise Problem(403, _NOT_A_BROWSER)
        if deps.reload is None:
            raise Problem(503, "This process can't take over another configuration; one that serves the gateway can.")
        try:
            change = deps.reload(actor(request, "api"))
        except ConfigError as error:
            problems = str(error).splitlines()
            raise Problem(
                400, f"The configuration on disk is not valid: {'; '.join(problems)}", problems=problems
            ) from None
        changes = () if change is None else change.changes
        return answer(Reloaded(changes=tuple(ChangedKey(key=key, old=old, new=new) for key, old, new in changes)))


def _is_meant(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.headers.get(_HEADER) == "1" or kind == "application/json"


def _is_from_here(request: Request) -> bool:
    """Whether it comes from this machine, or from somebody who has said who they are."""
    return who(request) is not None or (request.client is not None and is_loopback(request.client.host))
