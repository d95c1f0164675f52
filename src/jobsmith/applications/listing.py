"""Which applications are wanted, and a page of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import and_, func, or_, select

from jobsmith.applications.record import ApplicationPage, BadApplication, Status
from jobsmith.applications.rows import application_of
from jobsmith.applications.schema import APPLICATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Row

__all__ = ["Wanted", "page_of", "rows_of", "statuses"]

_SEARCHED: Final = ("role", "company", "place", "url", "job")
_CHUNK: Final = 500


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which applications are wanted; None: whatever it is.

    Attributes:
        text: what role, company, place, url or job have in them, whatever the case.
        since, until: when they were sent, from *since* on and before *until*, in epoch microseconds.
    """

    status: Status | None = None
    company: str | None = None
    job: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold."""
        columns = APPLICATIONS.c
        for name in ("status", "job"):
            if (value := getattr(self, name)) is not None:
                yield columns[name] == value
        if self.company is not None:
            yield func.lower(columns.company) == self.company.lower()
        if self.text is not None:
            yield or_(*(columns[name].icontains(self.text, autoescape=True) for name in _SEARCHED))
        if self.since is not None:
            yield columns.applied_at >= self.since
        if self.until is not None:
            yield columns.applied_at < self.until


def page_of(connection: Connection, wanted: Wanted, *, limit: int, after: str | None) -> ApplicationPage:
    """Return the page after the one whose ``next`` was *after*, the newest first.

    Raises:
        BadApplication: *after* is no such thing.
    """
    rows = _rows(connection, wanted, limit=limit + 1, after=None if after is None else _place_of(after))
    more = len(rows) > limit
    items = tuple(application_of(row) for row in rows[:limit])
    return ApplicationPage(items=items, next=f"{rows[limit - 1].created_at}.{rows[limit - 1].id}" if more else None)


def rows_of(connection: Connection, wanted: Wanted) -> Iterator[Row[Any]]:
    """Yield the rows of all that are wanted, the newest first, a few at a time."""
    after: tuple[int, str] | None = None
    while rows := _rows(connection, wanted, limit=_CHUNK, after=after):
        yield from rows
        after = (rows[-1].created_at, rows[-1].id)


def statuses(connection: Connection) -> dict[str, int]:
    """Return how many have each status that any has."""
    found = connection.execute(select(APPLICATIONS.c.status, func.count()).group_by(APPLICATIONS.c.status))
    return {status: count for status, count in found}  # noqa: C416 - rows are no pairs to dict()


def _rows(connection: Connection, wanted: Wanted, *, limit: int, after: tuple[int, str] | None) -> list[Row[Any]]:
    columns = APPLICATIONS.c
    query = select(APPLICATIONS).where(*wanted.conditions())
    if after is not None:
        at, name = after
        query = query.where(or_(columns.created_at < at, and_(columns.created_at == at, columns.id < name)))
    return list(connection.execute(query.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit)))


def _place_of(after: str) -> tuple[int, str]:
    at, dot, name = after.partition(".")
    if not dot or not at.lstrip("-").isdecimal():
        msg = f"after: {after!r} is not the `next` of a page"
        raise BadApplication(msg)
    return int(at), name
