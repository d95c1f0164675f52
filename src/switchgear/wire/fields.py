"""Reading the few fields that matter out of JSON of any shape, without ever raising."""

from __future__ import annotations

import math
from typing import Final, Generic, TypeVar

import msgspec

__all__ = ["UNREADABLE", "Anything", "Fields", "Number", "is_given", "whole"]

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding somebody's JSON can raise."""

Number = int | float | None
"""A count in somebody's JSON; take it through *whole*."""

Anything = msgspec.Raw | msgspec.UnsetType
"""A field of which only matters whether it is there; take it through *is_given*."""

_MOST: Final = 1 << 48
"""Larger counts are taken as this: beyond any use, and still small enough for every database."""

T = TypeVar("T", bound=msgspec.Struct)


class Fields(Generic[T]):
    """Decodes a JSON object into a struct whose fields all have defaults."""

    def __init__(self, struct: type[T]) -> None:
        self._struct = struct
        self._whole: msgspec.json.Decoder[T] = msgspec.json.Decoder(struct)
        self._raw: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._one = {
            field.encode_name: (field.name, msgspec.json.Decoder(field.type))
            for field in msgspec.structs.fields(struct)
        }

    def read(self, body: bytes) -> T | None:
        """Return what *body* says; a field of the wrong type has its default. None: *body* is no JSON."""
        try:
            return self._whole.decode(body)
        except UNREADABLE:
            return self._field_by_field(body)

    def _field_by_field(self, body: bytes) -> T | None:
        try:
            raw = self._raw.decode(body)
        except msgspec.ValidationError:
            return self._struct()  # JSON, but no object
        except UNREADABLE:
            return None
        found: dict[str, object] = {}
        for key, value in raw.items():
            if key in self._one:
                name, decoder = self._one[key]
                try:
                    found[name] = decoder.decode(value)
                except UNREADABLE:
                    continue
        return self._struct(**found)


def whole(number: Number) -> int:
    """Return *number* as a count: rounded up, 0 for none, negative ones and nonsense."""
    if type(number) is int and 0 <= number <= _MOST:  # nearly every one
        return number
    if number is None or not math.isfinite(number):
        return 0
    return max(0, min(math.ceil(number), _MOST))


def is_given(field: Anything) -> bool:
    """Return whether *field* is there and not null."""
    return isinstance(field, msgspec.Raw) and bytes(field) != b"null"
