"""Errors in one shape: RFC 9457 problem+json for programs, a plain page for people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from switchgear.errors import LedgerError, StateError
from switchgear.web.security import HEADERS

__all__ = ["MEDIA_TYPE", "Problem", "install_problems", "problem_response"]

MEDIA_TYPE: Final = "application/problem+json"
_UNPROCESSABLE: Final = 422  # http.HTTPStatus names it differently from Python to Python
_PROGRAM_PATHS: Final = ("/api/", "/partials/", "/static/", "/metrics", "/healthz", "/readyz", "/openapi.json")

_log = logging.getLogger("switchgear.web")

ErrorPage = Callable[[Request, int, str, str, Sequence[str]], Response]
"""Renders a page for people from the request, status, title, detail, and what would be valid."""


class Problem(Exception):
    """An answer that says what is wrong.

    Args:
        status: the HTTP status.
        detail: what is wrong and what to do, as a sentence.
        extra: further members, for instance the valid values.
    """

    def __init__(self, status: int, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.extra = extra


def problem_response(
    status: int, detail: str, *, extra: dict[str, object] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return the answer as problem+json."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse({**body, **(extra or {})}, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def install_problems(app: FastAPI, error_page: ErrorPage) -> Callable[..., Response]:
    """Make every error of *app*, its own and the framework's, one of the two shapes; return what makes it."""

    def answer(
        request: Request,
        status: int,
        detail: str,
        *,
        extra: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        if _is_for_people(request):
            valid = (extra or {}).get("valid")
            listed = [str(each) for each in valid] if isinstance(valid, list) else []
            page = error_page(request, status, HTTPStatus(status).phrase, detail, listed)
            page.headers.update(headers or {})
            return page
        return problem_response(status, detail, extra=extra, headers=headers)

    def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101 - registered for this class alone
        return answer(request, error.status, error.detail, extra=error.extra)

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
        details = {404: f"There is nothing at {request.url.path}.", 405: f"{request.method} is not possible here."}
        detail = details.get(error.status_code, str(error.detail))
        return answer(request, error.status_code, detail, headers=dict(error.headers or {}))

    def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
        wrong = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        return answer(request, _UNPROCESSABLE, wrong)

    def on_ledger(request: Request, error: Exception) -> Response:
        _log.error("the ledger can't be read: %s", error)
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, f"The ledger can't be read: {error}")

    def on_state(request: Request, error: Exception) -> Response:
        _log.error("the live numbers can't be read: %s", error)
        return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, f"The live numbers can't be read: {error}")

    def on_bug(request: Request, _error: Exception) -> Response:
        # Starlette sends this from outside the other middleware, then raises on, so the server logs it.
        detail = "Switchgear failed to answer; its log says why."
        return answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, detail, headers=HEADERS)

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(LedgerError, on_ledger)
    app.add_exception_handler(StateError, on_state)
    app.add_exception_handler(Exception, on_bug)
    return answer


def _is_for_people(request: Request) -> bool:
    path = request.url.path
    return not path.startswith(_PROGRAM_PATHS) and "text/html" in request.headers.get("accept", "")
