"""JSON answers from frozen structs, and their place in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

from switchgear.insight.metrics import plain
from switchgear.web.auth.door import OPEN, SAFE
from switchgear.web.auth.sign_in import COOKIE
from switchgear.web.problems import MEDIA_TYPE

__all__ = ["answer", "describe", "documented", "request_body"]

_REF: Final = "#/components/schemas/{name}"
_PROBLEMS: Final = {
    400: "What was asked is not valid; what is, is listed",
    401: "Sign in",
    403: "Not from here, or not by you",
    404: "Nothing of that name",
    409: "Not in the state that it is in",
    413: "More than a body here may have",
    415: "Another kind of body",
    429: "Too many attempts to sign in",
    503: "The ledger can't be read or written",
}


def answer(body: msgspec.Struct, *, status: int = 200) -> Response:
    """Return *body* as JSON: money as decimal strings, times as RFC 3339 in UTC."""
    return Response(msgspec.json.encode(plain(body)), status_code=status, media_type="application/json")


def documented(
    body: type[msgspec.Struct], *problems: int, also: tuple[int, ...] = ()
) -> dict[int | str, dict[str, Any]]:
    """Return a route's ``responses``: *body* for 200 and *also*, problem+json for *problems*."""
    content = {"application/json": {"schema": {"$ref": _REF.format(name=body.__name__)}}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": (body.__doc__ or "").partition("\n")[0], "content": content} for status in (200, *also)
    }
    for status in problems:
        found[status] = _problem(status)
    return found


def request_body(body: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a route's ``openapi_extra`` for a JSON *body*."""
    content = {"application/json": {"schema": {"$ref": _REF.format(name=body.__name__)}}}
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, bodies: tuple[type[msgspec.Struct], ...], *, signs_in: bool) -> None:
    """Make the OpenAPI document of *app* complete.

    Args:
        app: the app.
        bodies: whose schemas belong in it, besides that of a problem.
        signs_in: whoever asks has to sign in.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            _, schemas = msgspec.json.schema_components(bodies, ref_template=_REF)
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    # FastAPI assumes that a path can be invalid; ours are text, and queries answer 400.
                    operation["responses"].pop("422", None)
                    _guard(operation, changes=method.upper() not in SAFE, signs_in=signs_in and path not in OPEN)
            document["components"] = {"schemas": {**schemas, "Problem": _problem_schema()}}
            if signs_in:
                document["components"]["securitySchemes"] = {
                    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                    "password": {"type": "http", "scheme": "basic"},
                }
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _guard(operation: dict[str, Any], *, changes: bool, signs_in: bool) -> None:
    """Add the answers of those who stand before *operation*."""
    responses = operation["responses"]
    for status in ((403,) if changes else ()) + ((401, 429, 503) if signs_in else ()):
        responses.setdefault(str(status), _problem(status))
    if signs_in:
        operation["security"] = [{"session": []}, {"password": []}]


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name="Problem")}
    return {"description": _PROBLEMS[status], "content": {MEDIA_TYPE: {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": "Problem",
        "description": "RFC 9457: what is wrong, as a sentence in `detail`; some carry further members.",
        "type": "object",
        "properties": {"type": text, "title": text, "status": {"type": "integer"}, "detail": text},
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": True,
    }
