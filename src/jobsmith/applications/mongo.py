"""Counting in a MongoDB collection that others write: one aggregation pipeline, read only."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobsmith.applications.periods import Window, from_micros, to_micros
from jobsmith.applications.record import ApplicationsError
from jobsmith.applications.stats import Counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobsmith.applications.periods import Frame

__all__ = ["Fields", "MongoCounting", "open_collection", "pipeline"]

_PATIENCE_MS: Final = 5_000
_DAY_MS: Final = 86_400_000

# Without a time zone, as everywhere below: MongoDB takes that for UTC, which is what it is.
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001
_END: Final = dt.datetime(2200, 1, 1)  # noqa: DTZ001
"""A date outside of these two is none: a slip, or a number in another unit."""

Expression = dict[str, Any]


class Fields(NamedTuple):
    """What the collection calls things: its fields of status and date, and the status of what was sent."""

    status: str = "status"
    applied: str = "applied"
    date: str = "applied_at"


class MongoCounting:
    """Counts the documents of *collection*, a pymongo one or what behaves like it.

    Args:
        collection: has ``aggregate``.
        fields: what it calls things.
    """

    def __init__(self, collection: Any, fields: Fields) -> None:  # noqa: ANN401 - pymongo's types need its extra
        self._collection: Final = collection
        self._fields: Final = fields

    @property
    def source(self) -> str:
        return "mongodb"

    def count(self, frame: Frame, *, days: int) -> Counts:
        looked_at = list(frame.days(days))
        found = next(iter(self._aggregate(pipeline(self._fields, frame, looked_at))), {})
        busy = set(found.get("days", ()))
        first = found.get("first")
        return Counts(
            day=found.get("day", 0),
            week=found.get("week", 0),
            month=found.get("month", 0),
            recent=found.get("recent", 0),
            dated=found.get("total", 0) - found.get("without_date", 0),
            without_date=found.get("without_date", 0),
            first=None if first is None else to_micros(first if first.tzinfo else first.replace(tzinfo=dt.UTC)),
            busy=tuple(_number(day, frame) in busy for day in looked_at),
        )

    def close(self) -> None:
        """Let go of the connections."""
        self._collection.database.client.close()

    def _aggregate(self, stages: list[Expression]) -> list[Mapping[str, Any]]:
        from pymongo.errors import PyMongoError

        try:
            return list(self._collection.aggregate(stages))
        except PyMongoError as error:
            msg = f"the applications in MongoDB can't be counted: {str(error).partition(', Timeout')[0]}"
            raise ApplicationsError(msg) from error


def open_collection(url: str, database: str | None, collection: str) -> Any:  # noqa: ANN401 - as above
    """Return the collection; nothing is connected yet.

    Args:
        url: ``mongodb://...``.
        database: None: the one that *url* names.
        collection: its name.

    Raises:
        ApplicationsError: *url* is none, or names no database, or pymongo is not installed.
    """
    try:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError
    except ImportError:
        msg = "applications.mongo needs pymongo: pip install 'switchgear[mongo]'"
        raise ApplicationsError(msg) from None
    try:
        client: Any = MongoClient(url, tz_aware=True, serverSelectionTimeoutMS=_PATIENCE_MS, appname="switchgear")
    except (PyMongoError, ValueError) as error:
        msg = f"applications.mongo: {error}"
        raise ApplicationsError(msg) from None
    try:
        chosen = client.get_database(database) if database else client.get_default_database()
    except (PyMongoError, ValueError) as error:
        client.close()
        msg = f"applications.mongo: name the database, in the address or as database: {error}"
        raise ApplicationsError(msg) from None
    return chosen[collection]


def pipeline(fields: Fields, frame: Frame, days: Sequence[Window]) -> list[Expression]:
    """Return the stages that count everything in one group; *days*: which of them had any is told by their numbers.

    Only what every MongoDB from 3.2 on evaluates: ``$cond`` and ``$sum``, no ``$facet`` and no ``$dateTrunc``.
    """
    date = f"${fields.date}"
    dated = {"$and": [{"$gte": [date, _EPOCH]}, {"$lt": [date, _END]}]}
    windows = {"day": frame.day, "week": frame.week, "month": frame.month, "recent": frame.recent}
    looked_at = Window(days[-1].since, days[0].until)
    group: Expression = {
        "_id": None,
        "total": {"$sum": 1},
        "without_date": {"$sum": {"$cond": [dated, 0, 1]}},
        **{name: {"$sum": {"$cond": [_inside(date, window), 1, 0]}} for name, window in windows.items()},
        "first": {"$min": {"$cond": [dated, date, None]}},
        "days": {"$addToSet": {"$cond": [_inside(date, looked_at), _day_number(date, frame, looked_at), None]}},
    }
    return [{"$match": {fields.status: fields.applied}}, {"$group": group}]


def _inside(date: str, window: Window) -> Expression:
    return {"$and": [{"$gte": [date, _date(window.since)]}, {"$lt": [date, _date(window.until)]}]}


def _day_number(date: str, frame: Frame, looked_at: Window) -> Expression:
    """Return the expression for the day of *date* on a clock in the frame's zone, in days since 1970."""
    offset: Any = _offset_ms(looked_at.since, frame)
    for instant in frame.changes(looked_at):
        # The newest change comes to stand outermost, since it decides for most documents.
        offset = {"$cond": [{"$gte": [date, _date(instant)]}, _offset_ms(instant, frame), offset]}
    return {"$floor": {"$divide": [{"$add": [{"$subtract": [date, _EPOCH]}, offset]}, _DAY_MS]}}


def _offset_ms(instant: int, frame: Frame) -> int:
    return frame.offset(instant) // 1000


def _number(day: Window, frame: Frame) -> int:
    return (day.since // 1000 + _offset_ms(day.since, frame)) // _DAY_MS


def _date(instant: int) -> dt.datetime:
    return from_micros(instant).replace(tzinfo=None)
