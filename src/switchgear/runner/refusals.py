"""Whether an error of a layer is a refusal of the gate, however it was wrapped on its way up."""

from __future__ import annotations

from typing import Any

import msgspec

from switchgear.errors import Refused

__all__ = ["RefusedCall", "refusal_in"]


class RefusedCall(msgspec.Struct, frozen=True):
    """The gate's no to a call of a layer: as a sentence, and when a retry makes sense (epoch seconds; None: never)."""

    text: str
    retry_at: float | None
    budget: bool


def refusal_in(error: BaseException, now: float) -> RefusedCall | None:
    """Return the refusal that *error* is, or was raised from; None: it is something else.

    An SDK over a governed HTTP client raises its own error for the answer of the gate, which says
    in its headers that it is a refusal.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, Refused):
            return RefusedCall(str(one), one.retry_at, one.reason in {"budget", "skip"})
        headers: Any = getattr(getattr(one, "response", None), "headers", None)
        why = headers.get("x-switchgear-refused") if hasattr(headers, "get") else None
        if isinstance(why, str):
            return RefusedCall(str(one), _after(headers.get("retry-after"), now), why in {"budget", "skip"})
        one = one.__cause__ or one.__context__
    return None


def _after(text: object, now: float) -> float | None:
    try:
        return now + float(str(text))
    except ValueError:
        return None
