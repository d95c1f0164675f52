"""Pages of a usage report: read on after the last bucket and group of the page before."""

from __future__ import annotations

import base64
from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from switchgear.insight.days import to_micros
from switchgear.insight.questions import BadQuestion

if TYPE_CHECKING:
    from switchgear.insight.usage import UsageReport, UsageRow

__all__ = ["page_of"]

_Place = tuple[int, tuple[str, ...]]


def page_of(report: UsageReport, *, limit: int, after: str | None = None) -> UsageReport:
    """Return *report* with at most *limit* of its items, those after the page whose `next` was *after*.

    Raises:
        BadQuestion: *after* is not the `next` of a page of this question.
    """
    first = 0 if after is None else bisect_right(report.items, _read(after, len(report.by)), key=_place)
    items = report.items[first : first + limit]
    following = _write(items[-1]) if len(report.items) > first + limit else None
    return msgspec.structs.replace(report, items=items, next=following)


def _place(item: UsageRow) -> _Place:
    return 0 if item.start is None else to_micros(item.start), tuple(value or "" for value in item.group.values())


def _write(item: UsageRow) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_place(item))).decode().rstrip("=")


def _read(cursor: str, width: int) -> _Place:
    try:
        text = base64.urlsafe_b64decode((cursor + "=" * (-len(cursor) % 4)).encode("ascii"))
        found = msgspec.json.decode(text, type=tuple[int, tuple[str, ...]])
    except ValueError:
        found = (0, ())
    if len(found[1]) != width or not cursor:
        detail = f"{cursor!r} is not the `next` of a page of this question"
        raise BadQuestion(detail, key="after")
    return found
