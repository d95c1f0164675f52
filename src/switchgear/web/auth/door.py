"""The door: where a users file is set, nobody gets past it unknown, and a viewer changes nothing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from switchgear.errors import ConfigError
from switchgear.web.auth.sign_in import COOKIE, SignIn, TooMany, basic_credentials
from switchgear.web.auth.users import User

__all__ = ["FORM", "OPEN", "SAFE", "SIGN_IN", "Door", "actor", "may_change", "who"]

SIGN_IN: Final = "/-/sign-in"

OPEN: Final = frozenset({"/healthz", "/readyz", SIGN_IN})
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_ALL: Final = frozenset({"/-/sign-out"})
_FOR_PROGRAMS: Final = ("/api/", "/partials/", "/metrics", "/openapi.json")
_BASIC: Final = 'Basic realm="Switchgear", charset="UTF-8"'
FORM: Final = 'Form realm="Switchgear"'
"""The challenge for browsers that are on a page of ours: for Basic they would open a dialogue of their own."""

_log = logging.getLogger("switchgear.web")

Answer = Callable[..., Response]
"""Makes an error for people or programs from the request, a status, a sentence, and *headers*."""


def who(request: Request) -> User | None:
    """Return who has signed in; None: this server asks nobody."""
    user = request.scope.get("switchgear.user")
    return user if isinstance(user, User) else None


def actor(request: Request, otherwise: str) -> str:
    """Return who is to be on record for what *request* changes: who signed in, else *otherwise*."""
    user = who(request)
    return otherwise if user is None else user.name


def may_change(request: Request) -> bool:
    """Tell whether whoever asks may change something."""
    user = who(request)
    return user is None or user.role == "admin"


class Door:
    """Lets a request in whose sender is known, and says who that is in its scope.

    Args:
        app: what is behind it.
        sign_in: checks sessions and passwords.
        answer: makes an error.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn, answer: Answer) -> None:
        self._app: Final = app
        self._sign_in: Final = sign_in
        self._answer: Final = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith("/static/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            found = await self._known(request)
        except ConfigError as error:
            _log.error("nobody can sign in: %s", error)
            detail = "Nobody can sign in: the users file is not valid now; the log of the server says why."
            found = self._answer(request, 503, detail)
        if isinstance(found, User) and found.role != "admin" and scope["method"] not in SAFE | _always(scope["path"]):
            found = self._answer(request, 403, f"{found.name} is a viewer: only an admin may change anything here.")
        if isinstance(found, User):
            await self._app({**scope, "switchgear.user": found}, receive, send)
        else:
            await found(scope, receive, send)

    async def _known(self, request: Request) -> User | Response:
        token = request.cookies.get(COOKIE)
        user = None if token is None else self._sign_in.user_of(token)
        if user is not None:
            return user
        given = basic_credentials(request.headers.get("authorization", ""))
        if given is None:
            return self._ask(request)
        address = request.client.host if request.client else ""
        checked = await self._sign_in.check(*given, address, program=True)
        if isinstance(checked, TooMany):
            headers = {"Retry-After": str(math.ceil(checked.seconds))}
            return self._answer(request, 429, "Too many attempts to sign in; wait a little.", headers=headers)
        if checked is None:
            detail = "That is not the name and password of a user."
            return self._answer(request, 401, detail, headers={"WWW-Authenticate": _BASIC})
        return checked

    def _ask(self, request: Request) -> Response:
        path = request.url.path
        if path.startswith(_FOR_PROGRAMS):
            by_page = "hx-request" in request.headers
            detail = "Sign in: a session of the dashboard, or name and password of a user as HTTP Basic."
            return self._answer(request, 401, detail, headers={"WWW-Authenticate": FORM if by_page else _BASIC})
        query = f"?{request.url.query}" if request.url.query else ""
        back = f"{path}{query}" if request.method == "GET" and path != "/" else ""
        return RedirectResponse(f"{SIGN_IN}?next={quote(back, safe='')}" if back else SIGN_IN, status_code=303)


def _always(path: str) -> frozenset[str]:
    return frozenset({"POST"}) if path in _BY_ALL else frozenset()
