"""The gate itself can't decide or record: told in the provider's error shape, as a 503."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.wire.base import WireRefusal
from switchgear.wire.dialects import dialect_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["unavailable"]

_STATUS: Final = 503
_TITLE: Final = "Nothing may be spent that can't be recorded"
_RETRY_AFTER: Final = 1

_Shape = dict[str, object]


def unavailable(kind: str, path: str, *, reason: Literal["ledger", "state"], detail: str) -> WireRefusal:
    """Return the answer to a request to *path* at a service of *kind*; *detail*: the cause, and what to do."""
    dialect = dialect_for(kind, path)
    body = _BODIES.get(dialect.name, _problem)(f"{_TITLE}: {detail}", f"{reason}_unavailable")
    media = "application/problem+json" if dialect.name not in {"openai", "anthropic"} else "application/json"
    headers = (
        ("content-type", media),
        # An SDK that tries again at once would only make it harder for the ledger.
        ("x-should-retry", "false"),
        ("retry-after", str(_RETRY_AFTER)),
        ("x-switchgear-refused", reason),
    )
    return WireRefusal(
        status=_STATUS,
        headers=headers,
        body=msgspec.json.encode({**body, "switchgear": {"reason": reason, "detail": detail}}),
    )


def _openai(message: str, code: str) -> _Shape:
    return {"error": {"message": message, "type": "server_error", "param": None, "code": code}}


def _anthropic(message: str, code: str) -> _Shape:  # noqa: ARG001 - its errors have no codes
    return {"type": "error", "error": {"type": "api_error", "message": message}}


def _problem(message: str, code: str) -> _Shape:  # noqa: ARG001 - a problem is told by its title
    return {"type": "about:blank", "title": _TITLE, "status": _STATUS, "detail": message}


_BODIES: Final[Mapping[str, Callable[[str, str], _Shape]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "http": _problem,
}
