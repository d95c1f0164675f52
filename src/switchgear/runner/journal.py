"""The log of each run: numbered lines, so that whoever reads with a cursor misses none and sees none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from switchgear.runner.database import reading, writing
from switchgear.runner.faults import NoSuchRun, RunnerError
from switchgear.runner.tables import lines, runs
from switchgear.runner.views import ENDED, LogLine, LogPage

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Journal"]

_LONGEST: Final = 4_000
"""Characters of a line."""
_MOST: Final = 20_000
"""Lines of what the layers of one run say; what the runner says comes on top."""
_TRIES: Final = 20


class Journal:
    """Writes and reads the logs of runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def write(self, run: str, text: str, *, at: int, kind: str = "run", layer: str | None = None) -> None:
        """Add a line to the log of *run*; long ones are cut, and control characters taken out.

        After 20,000 lines only what the runner itself says is kept, with one line that says so.
        """
        for _ in range(_TRIES):
            try:
                with writing(self._engine) as connection:
                    query = select(func.coalesce(func.max(lines.c.number), 0)).where(lines.c.run == run)
                    number = int(connection.execute(query).scalar_one()) + 1
                    if number > _MOST and kind in {"log", "progress"}:
                        if number > _MOST + 1:
                            return
                        text = f"more than {_MOST} lines: further ones of layers are left out"
                    row = {"run": run, "number": number, "at": at, "kind": kind, "layer": layer, "text": _clean(text)}
                    connection.execute(insert(lines).values(**row))
            except RunnerError as error:
                if isinstance(error.__cause__, IntegrityError):
                    continue  # somebody else has just written this number
                raise
            return
        msg = f"the log of run {run!r} is written to by too many at once"
        raise RunnerError(msg)

    def last(self, run: str) -> int:
        """Return the number of the last line of *run*; 0: it has none."""
        query = select(func.coalesce(func.max(lines.c.number), 0)).where(lines.c.run == run)
        with reading(self._engine) as connection:
            return int(connection.execute(query).scalar_one())

    def read(self, run: str, *, after: int = 0, limit: int = 500) -> LogPage:
        """Return the lines of *run* whose number is above *after*, in order.

        Raises:
            NoSuchRun: there is no such run.
        """
        query = select(lines).where(lines.c.run == run, lines.c.number > after).order_by(lines.c.number).limit(limit)
        with reading(self._engine) as connection:
            # The status first: a run that has ended before its lines are read has all of them.
            status = connection.execute(select(runs.c.status).where(runs.c.run == run)).scalar()
            found = connection.execute(query).mappings().all()
        if status is None:
            msg = f"there is no run {run!r}"
            raise NoSuchRun(msg)
        items = tuple(LogLine(**{name: row[name] for name in LogLine.__struct_fields__}) for row in found)
        last = items[-1].number if items else after
        return LogPage(items=items, next=last, ended=status in ENDED and len(items) < limit)


def _clean(text: str) -> str:
    kept = "".join(char if char.isprintable() or char == "\t" else " " for char in text)
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"
