"""An attempt outside the ledger: the columns of exports and imports, and how each value is written.

The columns are those of the table, in its order. Instants are RFC 3339 in UTC with all six digits, money
is a decimal string of USD, spans are whole microseconds; nothing is lost on the way out and back.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

import msgspec
from sqlalchemy import Integer, SmallInteger

from switchgear.calls import CallStatus, Reason
from switchgear.ledger.schema import attempts
from switchgear.money import to_nano, to_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Column

__all__ = ["COLUMNS", "FieldError", "FileColumn"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LARGEST: Final = 2**63 - 1
_STATUSES: Final = tuple(status for status in get_args(CallStatus) if status != "reserved")
_JSON: Final = frozenset({"tags", "units", "refusal"})
_OURS: Final = frozenset({"seq", "owner"})
"""Columns that mean nothing outside this ledger."""
_MONEY: Final = frozenset({"reserved", "cost"})


class FieldError(ValueError):
    """A value that can't be one of its column; *str()* of it says why."""


class FileColumn(NamedTuple):
    """One column of an export.

    Attributes:
        name: as it stands in the file.
        of: the column of the ledger.
        optional: it may be empty, or missing from a file.
        write: from the ledger's value to the file's; JSON columns become objects.
        read: back; raises FieldError.
    """

    name: str
    of: str
    optional: bool
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _same(value: Any) -> Any:  # noqa: ANN401 - whatever the column has
    return value


def _instant_out(value: int) -> str:
    at = _EPOCH + dt.timedelta(microseconds=value)
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _instant_in(value: Any) -> int:  # noqa: ANN401 - whatever the file has
    try:
        at = dt.datetime.fromisoformat(value)
        return (at - _EPOCH) // dt.timedelta(microseconds=1)
    except (TypeError, ValueError, OverflowError):
        msg = f"not an instant such as 2026-11-24T13:00:00.000000Z: {value!r}"
        raise FieldError(msg) from None


def _money_out(value: int) -> str:
    return f"{to_usd(value):f}"


def _money_in(value: Any) -> int:  # noqa: ANN401 - as above
    try:
        nano = to_nano(value)
    except (TypeError, ValueError):
        nano = -1
    if not 0 <= nano <= _LARGEST:
        msg = f"not an amount of USD such as 0.0125: {value!r}"
        raise FieldError(msg)
    return nano


def _count_in(value: Any) -> int:  # noqa: ANN401 - as above
    try:
        number = int(value) if isinstance(value, str | int) and not isinstance(value, bool) else -1
    except ValueError:
        number = -1
    if not 0 <= number <= _LARGEST:
        msg = f"not a whole number from 0 on: {value!r}"
        raise FieldError(msg)
    return number


def _flag_in(value: Any) -> int:  # noqa: ANN401 - as above
    found = {"true": 1, "false": 0, True: 1, False: 0}.get(value if isinstance(value, bool) else str(value).lower())
    if found is None:
        msg = f"neither true nor false: {value!r}"
        raise FieldError(msg)
    return found


def _text_in(value: Any) -> str:  # noqa: ANN401 - as above
    if not isinstance(value, str):
        msg = f"not text: {value!r}"
        raise FieldError(msg)
    return value


def _one_of(known: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:  # noqa: ANN401 - as above
        if value not in known:
            msg = f"not one of {', '.join(known)}: {value!r}"
            raise FieldError(msg)
        return str(value)

    return read


def _object_in(kind: Any) -> Callable[[Any], str]:  # noqa: ANN401 - a type that msgspec knows
    def read(value: Any) -> str:  # noqa: ANN401 - as above
        try:
            found = msgspec.json.decode(value) if isinstance(value, str) else value
            return msgspec.json.encode(msgspec.convert(found, kind)).decode()
        except msgspec.MsgspecError as error:
            msg = f"not a JSON object of its kind: {error}"
            raise FieldError(msg) from None

    return read


def _file_column(column: Column[Any]) -> FileColumn:
    name = column.name
    shown = name
    write: Callable[[Any], Any] = _same
    read: Callable[[Any], Any] = _text_in
    if name == "started_at":
        write, read = _instant_out, _instant_in
    elif name in _MONEY:
        shown, write, read = f"{name}_usd", _money_out, _money_in
    elif name in _JSON:
        kinds: dict[str, Any] = {"tags": dict[str, str], "units": dict[str, int], "refusal": dict[str, object]}
        write, read = msgspec.json.decode, _object_in(kinds[name])
    elif name == "status":
        read = _one_of(_STATUSES)
    elif name == "refused_by":
        read = _one_of(get_args(Reason))
    elif isinstance(column.type, SmallInteger):
        write, read = bool, _flag_in
    elif isinstance(column.type, Integer):
        read = _count_in
    return FileColumn(shown, name, bool(column.nullable), write, read)


COLUMNS: Final = tuple(_file_column(column) for column in attempts.c if column.name not in _OURS)
"""Every column of an export."""
