"""What every refusal on the wire has in common, whatever the provider's error shape."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.money import to_usd
from switchgear.wire.base import WireRefusal

if TYPE_CHECKING:
    from switchgear.calls import Reason, Refusal

__all__ = ["REFUSAL_STATUS", "refusal_facts", "wire_refusal"]

REFUSAL_STATUS: Final[dict[Reason, int]] = {
    "rate_limit": 429,
    "breaker": 503,
    "budget": 402,
    "skip": 402,
    "unpriced": 402,
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def wire_refusal(refusal: Refusal, body: dict[str, object], content_type: str = "application/json") -> WireRefusal:
    """Return *body* with the ``switchgear`` object added, under the status and headers of a refusal."""
    headers = [
        ("content-type", content_type),
        ("x-should-retry", "false"),
        ("x-switchgear-refused", refusal.reason),
    ]
    if refusal.retry_after is not None:
        headers.append(("retry-after", str(max(0, math.ceil(refusal.retry_after)))))
    return WireRefusal(
        status=REFUSAL_STATUS[refusal.reason],
        headers=tuple(headers),
        body=msgspec.json.encode({**body, "switchgear": refusal_facts(refusal)}),
    )


def refusal_facts(refusal: Refusal) -> dict[str, object]:
    """Return the ``switchgear`` object: money as decimal strings of USD, the instant in RFC 3339, UTC."""
    return {
        "reason": refusal.reason,
        "rule": refusal.rule,
        "service": refusal.service,
        "limit": _amount(refusal, refusal.limit),
        "used": _amount(refusal, refusal.used),
        "reserved": _amount(refusal, refusal.reserved),
        "retry_at": _instant(refusal.retry_at),
    }


def _amount(refusal: Refusal, number: int | None) -> str | int | None:
    return f"{to_usd(number):f}" if refusal.unit == "usd" and number is not None else number


def _instant(epoch: float | None) -> str | None:
    """Return *epoch* to the millisecond, rounded up: earlier would be too early."""
    if epoch is None:
        return None
    at = _EPOCH + timedelta(milliseconds=math.ceil(epoch * 1000))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
