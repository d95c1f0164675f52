"""Attempts one by one: how a filter is asked for, and what a row of the table becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from switchgear.ledger.schema import NOT_OK, attempts
from switchgear.ledger.views import CallFilter, CallRow

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Select

__all__ = ["call_row", "filtered"]

_COLUMNS: Final = tuple(name for name in CallRow.__struct_fields__ if name != "id")
_JSON: Final = ("tags", "units", "refusal")
_FLAGS: Final = ("streamed", "estimated")


def filtered(where: CallFilter) -> Select[*tuple[object, ...]]:
    """Return the question for every attempt that *where* wants."""
    query = select(attempts)
    for name in CallFilter.__struct_fields__:
        if name not in {"since", "until"} and (wanted := getattr(where, name)) is not None:
            query = query.where(attempts.c[name] == wanted)
    if where.status not in {None, "ok"}:
        query = query.where(NOT_OK)
    if where.since is not None:
        query = query.where(attempts.c.started_at >= where.since)
    if where.until is not None:
        query = query.where(attempts.c.started_at < where.until)
    return query


def call_row(row: RowMapping) -> CallRow:
    """Return a row of the table as it is read."""
    fields = {name: row[name] for name in _COLUMNS}
    for name in _JSON:
        if fields[name] is not None:
            fields[name] = msgspec.json.decode(fields[name])
    for name in _FLAGS:
        fields[name] = bool(fields[name])
    return msgspec.convert({**fields, "id": f"{row['call_id']}-{row['attempt']}"}, CallRow)
