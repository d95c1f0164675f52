"""The answer to a call that may not go because it can't be recorded, or the live numbers can't be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.errors import LedgerError
from switchgear.wire.unavailable import unavailable

if TYPE_CHECKING:
    from switchgear.errors import StateError
    from switchgear.gateway.asgi import Send

__all__ = ["send_unrecorded"]


async def send_unrecorded(send: Send, kind: str, path: str, error: LedgerError | StateError) -> None:
    """Answer 503 in the error shape of the provider that a request to *path* at a service of *kind* speaks to."""
    wire = unavailable(kind, path, reason="ledger" if isinstance(error, LedgerError) else "state", detail=str(error))
    headers = [(name.encode(), value.encode("latin-1")) for name, value in wire.headers]
    headers += [(b"content-length", str(len(wire.body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": wire.status, "headers": headers})
    await send({"type": "http.response.body", "body": wire.body})
