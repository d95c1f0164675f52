"""The gateway's own errors, as ``application/problem+json`` (RFC 9457).

They are rare: a refusal has the provider's shape, and an error of the provider passes unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchgear.gateway.asgi import Send

__all__ = ["send_problem"]


async def send_problem(send: Send, status: int, title: str, detail: str, **extra: object) -> None:
    """Answer with a problem document; *extra* members are added to it."""
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail, **extra})
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
