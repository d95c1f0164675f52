"""Counting in SQL: one statement for every period at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from jobsmith.applications.periods import Window
from jobsmith.applications.record import SENT
from jobsmith.applications.stats import Counts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from jobsmith.applications.periods import Frame
    from jobsmith.applications.place import Place

__all__ = ["SqlCounting"]

_EVER: Final = Window(-(2**62), 2**62)
_UNDATED: Final = -1
_FIRST: Final = -2

# Each window is a range of an index, so that a day costs what it holds, however many records there are.
_COUNTED: Final = """
SELECT w.number, (SELECT count(*) FROM applications AS a WHERE a.applied_at >= w.since AND a.applied_at < w.until)
FROM {windows}
UNION ALL
SELECT {undated}, count(*) FROM applications WHERE applied_at IS NULL AND status IN ({sent})
UNION ALL
SELECT {first}, min(applied_at) FROM applications
"""
_WINDOWS: Final = {
    "sqlite": """(SELECT key AS number, json_extract(value, '$[0]') AS since, json_extract(value, '$[1]') AS until
        FROM json_each(:windows)) AS w""",
    "postgresql": """(SELECT number - 1 AS number, (value->>0)::bigint AS since, (value->>1)::bigint AS until
        FROM jsonb_array_elements(CAST(:windows AS jsonb)) WITH ORDINALITY AS one(value, number)) AS w""",
}
_STATEMENTS: Final = {
    dialect: text(
        _COUNTED.format(
            windows=windows,
            undated=_UNDATED,
            first=_FIRST,
            sent=", ".join(f"'{status}'" for status in sorted(SENT)),
        )
    )
    for dialect, windows in _WINDOWS.items()
}


class SqlCounting:
    """Counts the records of a *place*."""

    def __init__(self, place: Place) -> None:
        self._place: Final = place

    @property
    def source(self) -> str:
        return self._place.source

    def count(self, frame: Frame, *, days: int) -> Counts:
        windows = [frame.day, frame.week, frame.month, frame.recent, _EVER, *frame.days(days)]
        with self._place.reading() as connection:
            found = _counted(connection, windows)
        day, week, month, recent, dated, *busy = (found[at] or 0 for at in range(len(windows)))
        return Counts(
            day=day,
            week=week,
            month=month,
            recent=recent,
            dated=dated,
            without_date=found[_UNDATED] or 0,
            first=found[_FIRST],
            busy=tuple(count > 0 for count in busy),
        )

    def close(self) -> None:
        """Do nothing: whose place it is closes that."""


def _counted(connection: Connection, windows: list[Window]) -> dict[int, int | None]:
    statement = _STATEMENTS[connection.dialect.name]
    rows = connection.execute(statement, {"windows": json.dumps(windows)})
    return {int(number): count for number, count in rows}
