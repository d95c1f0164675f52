"""The breakers that Switchgear knows by name, and how an answer over HTTP is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from switchgear.wire.outcomes import is_callers_fault

if TYPE_CHECKING:
    from switchgear.policies.breaker import Judgement

__all__ = ["PRESETS", "by_status"]

_REQUEST_TIMEOUT: Final = 408
_TOO_MANY: Final = 429
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500
_STATUSES: Final = range(100, 600)


def by_status(thing: object) -> Judgement | None:
    """Judge a response or an exception by its HTTP status, an event of a stream by its error.

    5xx and 408 are failures of the service; 429 throttles; any other 4xx is the caller's own doing
    and says nothing. None: no status is known, so an exception is a failure (no connection, a
    time-out) and a result is none. An event of type ``error``, or a mapping with an ``error``, is a
    failure too, unless it names the caller's own doing.
    """
    status = _status_of(thing)
    if status is None:
        return None if isinstance(thing, BaseException) else _of_event(thing)
    if status >= _SERVER_ERROR or status == _REQUEST_TIMEOUT:
        return "failure"
    if status == _TOO_MANY:
        return "throttled"
    return "neutral" if status >= _CLIENT_ERROR else "success"


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "anthropic": {"failure_threshold": 5, "recovery_timeout": 120.0, "is_failure": by_status},
    "firecrawl": {"failure_threshold": 3, "recovery_timeout": 300.0, "is_failure": by_status},
    "openai": {"failure_threshold": 5, "recovery_timeout": 120.0, "is_failure": by_status},
    "pdf_service": {"failure_threshold": 3, "recovery_timeout": 60.0},
}
"""Settings of *CircuitBreaker* by the name of the service."""


def _status_of(thing: object) -> int | None:
    for holder in (thing, getattr(thing, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and status in _STATUSES:
                return int(status)
    return None


def _of_event(thing: object) -> Judgement | None:
    error = _field(thing, "error")
    if _field(thing, "type") != "error" and not (error and isinstance(thing, Mapping)):
        return None
    return "neutral" if is_callers_fault(_field(error, "type"), _field(error, "code")) else "failure"


def _field(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)
