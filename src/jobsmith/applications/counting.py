"""Counting in SQL: one statement for every period at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from jobsmith.applications.record import SENT
from jobsmith.applications.stats import Counts

if TYPE_CHECKING:
    from jobsmith.applications.periods import Frame
    from jobsmith.applications.place import Place

__all__ = ["SqlCounting"]

_DATED: Final = -1
_UNDATED: Final = -2
_FIRST: Final = -3
_DAYS: Final = 1000
"""From this number on a row is of a day that has one at least; 1000 is today."""

# A window or a day is a range of an index, so it costs what it holds, however many records there are.
_COUNTED: Final = """
WITH w AS MATERIALIZED ({windows}), d AS MATERIALIZED ({days})
SELECT w.number, (SELECT count(*) FROM applications AS a WHERE a.applied_at >= w.since AND a.applied_at < w.until)
FROM w
UNION ALL
SELECT {days_from} + d.number, 1 FROM d
WHERE EXISTS (SELECT 1 FROM applications AS a WHERE a.applied_at >= d.since AND a.applied_at < d.until)
UNION ALL
SELECT {dated}, count(*) FROM applications WHERE applied_at IS NOT NULL
UNION ALL
SELECT {undated}, count(*) FROM applications WHERE applied_at IS NULL AND status IN ({sent})
UNION ALL
SELECT {first}, min(applied_at) FROM applications
"""
_DIALECTS: Final = {
    "sqlite": {
        "windows": """SELECT key AS number, json_extract(value, '$[0]') AS since, json_extract(value, '$[1]') AS until
            FROM json_each(:windows)""",
        "days": """SELECT key AS number, value AS until, lead(value) OVER (ORDER BY key) AS since
            FROM json_each(:edges)""",
    },
    "postgresql": {
        "windows": """SELECT at - 1 AS number, (value->>0)::bigint AS since, (value->>1)::bigint AS until
            FROM jsonb_array_elements(CAST(:windows AS jsonb)) WITH ORDINALITY AS one(value, at)""",
        "days": """SELECT at - 1 AS number, value::bigint AS until, lead(value::bigint) OVER (ORDER BY at) AS since
            FROM jsonb_array_elements_text(CAST(:edges AS jsonb)) WITH ORDINALITY AS one(value, at)""",
    },
}
_STATEMENTS: Final = {
    dialect: text(
        _COUNTED.format(
            **parts,
            days_from=_DAYS,
            dated=_DATED,
            undated=_UNDATED,
            first=_FIRST,
            sent=", ".join(f"'{status}'" for status in sorted(SENT)),
        )
    )
    for dialect, parts in _DIALECTS.items()
}


class SqlCounting:
    """Counts the records of a *place*."""

    def __init__(self, place: Place) -> None:
        self._place: Final = place

    @property
    def source(self) -> str:
        return self._place.source

    def count(self, frame: Frame, *, days: int) -> Counts:
        windows = [frame.day, frame.week, frame.month, frame.recent]
        looked_at = list(frame.days(days))
        edges = [looked_at[0].until, *(day.since for day in looked_at)]
        with self._place.reading() as connection:
            statement = _STATEMENTS[connection.dialect.name]
            given = {"windows": json.dumps(windows), "edges": json.dumps(edges)}
            found = {int(number): count for number, count in connection.execute(statement, given)}
        return Counts(
            day=found[0],
            week=found[1],
            month=found[2],
            recent=found[3],
            dated=found[_DATED],
            without_date=found[_UNDATED],
            first=found[_FIRST],
            busy=tuple(_DAYS + at in found for at in range(len(looked_at))),
        )

    def close(self) -> None:
        """Do nothing: whose place it is closes that."""
