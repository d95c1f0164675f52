"""What a layer leaves behind when it has run: a value, a reason or an error, as plain JSON that is never made again."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["LayerRecord", "failed", "finished", "skipped"]


class LayerRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a layer ended.

    Attributes:
        status: ``ok``, ``skipped`` or ``failed``.
        value: what it returned, as JSON.
        reason: why it was skipped.
        kind, text: of the error that it failed with.
        tries: how many it took.
        cached: the value is of an earlier run.
    """

    status: Literal["ok", "skipped", "failed"]
    value: Any = None
    reason: str | None = None
    kind: str = ""
    text: str = ""
    tries: int = 1
    cached: bool = False

    def stored(self) -> dict[str, Any]:
        """Return it as JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def finished(value: object, *, tries: int = 1, cached: bool = False) -> LayerRecord:
    """Return the record of a layer that returned *value* (JSON)."""
    return LayerRecord(status="ok", value=value, tries=tries, cached=cached)


def skipped(reason: str, *, tries: int = 1) -> LayerRecord:
    """Return the record of a layer that was left out."""
    return LayerRecord(status="skipped", reason=reason, tries=tries)


def failed(error: BaseException, *, tries: int = 1) -> LayerRecord:
    """Return the record of a layer that ended with *error*."""
    return LayerRecord(status="failed", kind=type(error).__name__, text=str(error)[:2_000], tries=tries)
