"""The gateway's own errors, as ``application/problem+json`` (RFC 9457).

They are rare: a refusal has the provider's shape, and an error of the provider passes unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchgear.gateway.asgi import Send
    from switchgear.governor.headers import Headers

__all__ = ["problem", "send_problem"]


def problem(status: int, title: str, detail: str, **extra: object) -> tuple[Headers, bytes]:
    """Return the headers and the body of a problem document; *extra* members are added to it."""
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail, **extra})
    headers = [
        ("content-type", "application/problem+json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    ]
    return headers, body


async def send_problem(send: Send, status: int, title: str, detail: str, **extra: object) -> None:
    """Answer with a problem document over ASGI."""
    headers, body = problem(status, title, detail, **extra)
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
