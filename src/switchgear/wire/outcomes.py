"""What a status, a header or an error object says about the service."""

from __future__ import annotations

import math
import re
from datetime import UTC
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Verdict

__all__ = ["blame", "error_label", "is_callers_fault", "retry_after_of", "verdict_of"]

_FAILURES: Final = frozenset({408, 429})
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500

_CALLERS: Final = re.compile(
    r"invalid|authentication|permission|not_found|too_large|context_length|content_policy|billing|unsupported"
)
_STATUS: Final = re.compile(r"[45]\d\d")
_SAFE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def verdict_of(status: int) -> Verdict:
    """Return what an HTTP *status* says about the service.

    Server errors (529 "overloaded" among them), 408 and 429 are failures: no quota of ours is
    behind a 429 that comes from the service. Any other 4xx is the caller's own doing.
    """
    if status >= _SERVER_ERROR or status in _FAILURES:
        return "failure"
    return "neutral" if status >= _CLIENT_ERROR else "success"


def retry_after_of(headers: Iterable[tuple[str, str]], now_epoch: float) -> float | None:
    """Return the seconds that the provider asks to be left alone; None if it asks for nothing usable.

    Reads ``retry-after-ms`` before ``retry-after``, the latter as seconds or as an HTTP date.
    Negative numbers, dates in the past and garbage are ignored.
    """
    found = {name.lower(): value.strip() for name, value in headers if name.lower().startswith("retry-after")}
    if (millis := _positive(found.get("retry-after-ms"))) is not None:
        return millis / 1000
    text = found.get("retry-after")
    if (seconds := _positive(text)) is not None or text is None:
        return seconds
    from email.utils import parsedate_to_datetime  # pulls in half of the email package

    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now_epoch
    except (ValueError, OverflowError):
        return None
    return wait if wait >= 0 else None


def _positive(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None


def error_label(*parts: object) -> str:
    """Return an error's type and code as one short text.

    Only identifiers get through: a provider's message may repeat the prompt or part of a key.
    """
    names = [part for part in parts if isinstance(part, str) and _SAFE.fullmatch(part)]
    return "/".join(dict.fromkeys(names)) or "error"


def is_callers_fault(*parts: object) -> bool:
    """Return whether an error object's type or code names something that the caller did wrong."""
    return any(isinstance(part, str) and _CALLERS.search(part) is not None for part in parts)


def blame(*parts: object) -> tuple[str, bool]:
    """Return the label of an error with this type and code, and whether the service is at fault.

    A code that is an HTTP status decides by itself.
    """
    names = [str(part) for part in parts if part is not None and not isinstance(part, bool)]
    status = next((int(name) for name in reversed(names) if _STATUS.fullmatch(name)), None)
    at_fault = not is_callers_fault(*names) if status is None else verdict_of(status) == "failure"
    return error_label(*names), at_fault
