"""Light, dark or as the system has it: ``?theme=dark`` on any page sets a cookie and leads back."""

from __future__ import annotations

from typing import Final, get_args
from typing import Literal as Choice
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["THEMES", "ThemeSwitch", "theme_of"]

Theme = Choice["auto", "light", "dark"]
THEMES: Final[tuple[Theme, ...]] = get_args(Theme)
_COOKIE: Final = "switchgear_theme"
_YEAR: Final = 365 * 24 * 3600


def theme_of(request: Request) -> Theme:
    """Return the theme that the reader chose; ``auto`` follows the system."""
    chosen = request.cookies.get(_COOKIE)
    return next((theme for theme in THEMES if theme == chosen), "auto")


class ThemeSwitch:
    """Answers a page's ``?theme=`` with the cookie and a redirect to the page without it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] == "GET" and b"theme=" in scope["query_string"]:
            app = self._redirect(Request(scope)) or app
        await app(scope, receive, send)

    @staticmethod
    def _redirect(request: Request) -> ASGIApp | None:
        query = parse_qsl(request.url.query, keep_blank_values=True)
        chosen = next((value for key, value in query if key == "theme"), None)
        if chosen not in THEMES or request.url.path.startswith("/api/"):
            return None
        rest = urlencode([(key, value) for key, value in query if key != "theme"])
        # One slash: a path that begins with two would lead to another host.
        path = "/" + request.url.path.lstrip("/")
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, status_code=303)
        answer.set_cookie(_COOKIE, chosen, max_age=_YEAR, httponly=True, samesite="lax")
        return answer
