"""Signing in and out. The form works without JavaScript, and leads back to where one was going."""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from switchgear.errors import ConfigError
from switchgear.web.auth.door import FORM, SIGN_IN
from switchgear.web.auth.session import LASTS
from switchgear.web.auth.sign_in import COOKIE, SignIn, TooMany
from switchgear.web.bodies import read_form
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes", "own_path"]

_WRONG: Final = "That is not the name and password of a user."


class SignInQuery(NoQuery):
    """Of the sign-in page."""

    next: str | None = None


def own_path(address: str) -> str:
    """Return *address* if it is a path of ours, else ``/``: nobody is led elsewhere from here."""
    parts = urlsplit(address)
    plain = address.isascii() and address.isprintable() and "\\" not in address and not address.startswith("//")
    is_ours = plain and address.startswith("/") and not parts.netloc and not parts.scheme
    return address if is_ours and parts.path != SIGN_IN else "/"


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page, and what its two forms do; nothing where nobody has to sign in."""
    sign_in = deps.sign_in
    if sign_in is None:
        return

    @router.get(SIGN_IN)
    def form(request: Request) -> Response:
        query = read_query(request, SignInQuery)
        return _page(pages, request, 200, next_page=own_path(query.next or "/"))

    @router.post(SIGN_IN)
    async def enter(request: Request) -> Response:
        given = await read_form(request, "name", "password", "next", verbatim=("password",))
        next_page = own_path(given["next"] or "/")
        return await _enter(pages, sign_in, request, given["name"], given["password"], next_page)

    @router.post("/-/sign-out")
    def leave() -> Response:
        answer = RedirectResponse(SIGN_IN, status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer


async def _enter(pages: Pages, sign_in: SignIn, request: Request, name: str, password: str, next_page: str) -> Response:
    address = request.client.host if request.client else ""
    try:
        user = await sign_in.check(name, password, address)
        session = sign_in.session_of(user) if user is not None and not isinstance(user, TooMany) else ""
    except ConfigError:
        raise Problem(503, "Nobody can sign in: the users file is not valid now; see the server's log.") from None
    if isinstance(user, TooMany):
        wait = math.ceil(user.seconds)
        page = _page(pages, request, 429, next_page=next_page, wrong=f"Too many attempts. Try again in {wait} s.")
        page.headers["Retry-After"] = str(wait)
        return page
    if user is None:
        page = _page(pages, request, 401, next_page=next_page, wrong=_WRONG, name=name)
        page.headers["WWW-Authenticate"] = FORM
        return page
    answer = RedirectResponse(next_page, status_code=303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, session, max_age=LASTS, httponly=True, samesite="strict", secure=secure)
    return answer


def _page(pages: Pages, request: Request, status: int, *, next_page: str, wrong: str = "", name: str = "") -> Response:
    return pages.page(
        request, "sign_in.html", http_status=status, health=None, next_page=next_page, wrong=wrong, name=name
    )
