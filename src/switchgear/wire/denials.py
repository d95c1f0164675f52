"""The no to a caller who is not known, or may not, in the error shape of the provider that it speaks to."""

from __future__ import annotations

from typing import Final

import msgspec

from switchgear.wire.base import WireRefusal

__all__ = ["denial"]

_UNKNOWN: Final = 401
_ANTHROPIC: Final = {401: "authentication_error", 403: "permission_error"}
_OPENAI: Final = {401: "invalid_api_key", 403: "permission_denied"}
_TITLES: Final = {401: "Unauthorized", 403: "Forbidden"}


def denial(kind: str, status: int, why: str, message: str) -> WireRefusal:
    """Return the answer with *status*, 401 or 403, of a service of *kind*."""
    content_type = "application/json"
    body: dict[str, object]
    if kind == "openai":
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": _OPENAI[status]}
        body = {"error": error}
    elif kind == "anthropic":
        body = {"type": "error", "error": {"type": _ANTHROPIC[status], "message": message}}
    else:
        content_type = "application/problem+json"
        body = {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": message}
    headers = [("content-type", content_type), ("x-should-retry", "false"), ("x-switchgear-refused", "key")]
    if status == _UNKNOWN:
        headers.append(("www-authenticate", 'Bearer realm="switchgear"'))
    facts = {"reason": "key", "rule": why}
    return WireRefusal(status=status, headers=tuple(headers), body=msgspec.json.encode({**body, "switchgear": facts}))
