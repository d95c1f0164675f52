"""The headers that a request goes on with, and those that we add to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.governor.headers import OURS, first, forwardable
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.governor.gate import Admitted, Settlement
    from switchgear.governor.headers import Headers
    from switchgear.wire.base import RequestFacts

__all__ = ["added_headers", "outgoing_headers"]


def outgoing_headers(
    headers: Sequence[tuple[str, str]], asked: bytes, body: bytes, *, facts: RequestFacts, auth: Headers | None
) -> Headers:
    """Return *headers* of the caller as they go on.

    Args:
        headers: as the caller sent them.
        asked: the caller's body.
        body: the body that is sent.
        facts: what the request says.
        auth: what proves who we are, in place of what the caller has put there; None: that passes.
    """
    drop = ["host", "content-length"]
    if auth is not None:
        drop += ["authorization", "x-api-key", "api-key"]
    if facts.adds_usage:
        drop.append("accept-encoding")  # a chunk can only be taken out of what can be read
    out = forwardable(headers, *drop)
    if facts.adds_usage:
        out.append(("accept-encoding", "identity"))
    out += auth or ()
    if asked or first(headers, "content-length") is not None:
        out.append(("content-length", str(len(body))))
    return out


def added_headers(admitted: Admitted, settlement: Settlement | None) -> Headers:
    """Return what we add to an answer; the cost only where it is known before the answer goes."""
    headers = [
        (f"{OURS}call-id", admitted.call.id),
        (f"{OURS}wait-ms", str(admitted.waited_us // 1000)),
    ]
    if admitted.call.degraded_from is not None:
        headers.append((f"{OURS}degraded-from", admitted.call.degraded_from))
    if settlement is not None and settlement.cost is not None:
        headers.append((f"{OURS}cost-usd", f"{to_usd(settlement.cost):f}"))
    return headers
