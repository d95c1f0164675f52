"""Changes come from our own pages or from programs, never from another site's page in a user's browser.

The rule is that of Go's ``http.CrossOriginProtection``: a browser says where a request comes from in
``Sec-Fetch-Site``, an older one in ``Origin``; what says neither is no browser. So forms need no token.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from switchgear.web.problems import problem_response

__all__ = ["SameOrigin", "is_foreign"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = frozenset({"same-origin", "none"})
_DETAIL: Final = "This page comes from another site: only Switchgear's own pages may change anything."


def is_foreign(headers: Headers) -> bool:
    """Tell whether a request with *headers* was made by a browser for another site's page."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OURS
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


class SameOrigin:
    """Refuses a change that another site's page asks for with 403."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in _SAFE and is_foreign(Headers(scope=scope)):
            await problem_response(403, _DETAIL)(scope, receive, send)
            return
        await self._app(scope, receive, send)
