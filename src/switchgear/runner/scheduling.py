"""Pipelines that start by the clock: cron expressions, in a time zone, once each time over all workers."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import delete, insert, select, update

from switchgear.runner.database import reading, writing
from switchgear.runner.faults import RunConflict, RunnerError
from switchgear.runner.tables import schedules
from switchgear.runner.views import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

__all__ = ["Schedules"]

_log = logging.getLogger("switchgear.runner")


class Schedules:
    """Keeps schedules, and starts what is due. What was missed while no worker ran is started once, not once a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def put(self, schedule: Schedule, now: int) -> Schedule:
        """Keep *schedule*, in the place of one of the same name; return it with when it is next due.

        Raises:
            RunnerError: its cron expression or its time zone is wrong.
        """
        from croniter import croniter  # type: ignore[import-untyped]  # it comes with DBOS, without types

        # Six fields would start with seconds here and end with them elsewhere; five are the same everywhere.
        if len(schedule.cron.split()) != 5 or not croniter.is_valid(schedule.cron):  # noqa: PLR2004 - said above
            msg = f"this is no cron expression of five fields: {schedule.cron!r}"
            raise RunnerError(msg)
        due = _next(schedule.cron, schedule.zone, now)
        row = {
            "name": schedule.name,
            "pipeline": schedule.pipeline,
            "cron": schedule.cron,
            "zone": schedule.zone,
            "input": json.dumps(schedule.input),
            "job": schedule.job,
            "budget": schedule.budget,
            "next_at": due,
        }
        with writing(self._engine) as connection:
            connection.execute(delete(schedules).where(schedules.c.name == schedule.name))
            connection.execute(insert(schedules).values(**row))
        return _schedule(row)

    def drop(self, name: str) -> bool:
        """Forget schedule *name*; tell whether there was one."""
        with writing(self._engine) as connection:
            return connection.execute(delete(schedules).where(schedules.c.name == name)).rowcount == 1

    def all(self) -> tuple[Schedule, ...]:
        """Return every schedule, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schedules).order_by(schedules.c.name)).mappings().all()
        return tuple(_schedule(dict(row)) for row in rows)

    def start_due(self, now: int, start: Callable[[Schedule, str], None]) -> None:
        """Call *start* with each schedule that is due and the name of its run; one worker does, of all that ask."""
        for due in self.all():
            if due.next_at > now:
                continue
            following = _next(due.cron, due.zone, now)
            mine = update(schedules).where(schedules.c.name == due.name, schedules.c.next_at == due.next_at)
            try:
                # The run first: its name is that of the occasion, so a second start of it is refused.
                start(due, f"{due.name}-{dt.datetime.fromtimestamp(due.next_at / 1e6, tz=dt.UTC):%Y%m%dT%H%M}")
            except RunConflict:
                pass
            except RunnerError as error:
                _log.error("schedule %s can't start its run: %s", due.name, error)
            with writing(self._engine) as connection:
                connection.execute(mine.values(next_at=following))


def _next(cron: str, zone: str, now: int) -> int:
    from croniter import croniter

    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        msg = f"there is no time zone {zone!r}"
        raise RunnerError(msg) from error
    begin = dt.datetime.fromtimestamp(now / 1e6, tz=place)
    following: dt.datetime = croniter(cron, begin).get_next(dt.datetime)
    return round(following.timestamp() * 1e6)


def _schedule(row: dict[str, Any]) -> Schedule:
    return Schedule(**{**row, "input": json.loads(row["input"])})
