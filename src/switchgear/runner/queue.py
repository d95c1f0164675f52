"""The queue: which run goes next, on which worker, and what becomes of the runs of a worker that died."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, insert, select, update

from switchgear.runner.database import reading, writing
from switchgear.runner.store import row_of
from switchgear.runner.tables import runs, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Engine, RowMapping

    from switchgear.runner.place import Place
    from switchgear.runner.store import RunRow

__all__ = ["RunQueue"]


class RunQueue:
    """Gives runs to workers: never more than *max_concurrency* at once, over all of them."""

    def __init__(self, engine: Engine, worker: str) -> None:
        self._engine: Final = engine
        self._worker: Final = worker

    def sign_on(self, place: Place, *, at: int, max_concurrency: int, pipelines: Iterable[str]) -> None:
        """Say that this worker is there."""
        row = {
            "worker": self._worker,
            "host": place.host,
            "place": place.space,
            "pid": place.pid,
            "started_at": at,
            "seen_at": at,
            "max_concurrency": max_concurrency,
            "pipelines": json.dumps(sorted(pipelines)),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(workers).values(**row))

    def beat(self, at: int) -> bool:
        """Say that this worker is still there; False: the others have taken it for dead."""
        query = update(workers).where(workers.c.worker == self._worker).values(seen_at=at)
        with writing(self._engine) as connection:
            return connection.execute(query).rowcount == 1

    def sign_off(self) -> None:
        """Say that this worker is gone."""
        with writing(self._engine) as connection:
            connection.execute(delete(workers).where(workers.c.worker == self._worker))

    def claim(self, *, now: int, max_concurrency: int, limits: Mapping[str, int | None]) -> RunRow | None:
        """Return the run that goes next, which is this worker's from now on; None: none may.

        The highest priority first, then who has waited longest. *limits* names the pipelines that
        this worker knows, with how many runs of each go at once at most.
        """
        with writing(self._engine, alone=True) as connection:
            count = select(runs.c.pipeline, func.count()).where(runs.c.status == "running").group_by(runs.c.pipeline)
            active = {str(row[0]): int(row[1]) for row in connection.execute(count)}
            if sum(active.values()) >= max_concurrency:
                return None
            open_ones = [name for name, most in limits.items() if most is None or active.get(name, 0) < most]
            query = (
                select(runs.c.run)
                .where(runs.c.status == "queued", runs.c.due_at <= now, runs.c.pipeline.in_(open_ones))
                .order_by(runs.c.priority.desc(), runs.c.due_at, runs.c.submitted_at, runs.c.run)
                .limit(1)
            )
            run = connection.execute(query).scalar()
            if run is None:
                return None
            connection.execute(
                update(runs).where(runs.c.run == run).values(status="running", worker=self._worker, reason=None)
            )
            return row_of(connection, run)

    def take(self, run: str, workflow: str, now: int) -> RunRow | None:
        """Return *run*, executed by this worker as *workflow* from now on; None: it is not to be any more."""
        with writing(self._engine) as connection:
            row = row_of(connection, run)
            if row.status != "running" or row.workflow != workflow:
                return None
            values: dict[str, object] = {"worker": self._worker, "executions": row.executions + 1}
            if row.started_at is None:
                values["started_at"] = now
            if row.deadline_at is None and row.timeout is not None:
                values["deadline_at"] = now + row.timeout
            connection.execute(update(runs).where(runs.c.run == run).values(**values))
            return row_of(connection, run)

    def leave(self, run: str, values: Mapping[str, object]) -> bool:
        """Set *values* of *run*, which this worker executes no more; False: others have taken it over already."""
        query = update(runs).where(runs.c.run == run, runs.c.status == "running", runs.c.worker == self._worker)
        with writing(self._engine) as connection:
            return connection.execute(query.values(**values, worker=None, wanted="")).rowcount == 1

    def claimed(self) -> frozenset[str]:
        """Return the runs that are this worker's."""
        query = select(runs.c.run).where(runs.c.worker == self._worker, runs.c.status == "running")
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query).scalars())

    def wake_due(self, now: int) -> int:
        """Put paused runs whose time has come back into the queue; return how many those are."""
        due = (runs.c.status == "paused", runs.c.due_at > 0, runs.c.due_at <= now)
        with reading(self._engine) as connection:
            if connection.execute(select(runs.c.run).where(*due).limit(1)).scalar() is None:
                return 0
        with writing(self._engine) as connection:
            return connection.execute(update(runs).where(*due).values(status="queued", deadline_at=None)).rowcount

    def wanted(self) -> dict[str, str]:
        """Return the runs of this worker that somebody wants to stop, and how."""
        query = select(runs.c.run, runs.c.wanted).where(
            runs.c.worker == self._worker, runs.c.status == "running", runs.c.wanted != ""
        )
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def reap(self, *, silent_since: int, gone: Callable[[str, str, int], bool]) -> tuple[tuple[str, str], ...]:
        """Give the runs of dead workers back to the queue; return (run, dead worker) of each.

        Dead is who was last seen before *silent_since*, and who is *gone* (host, space, process id).
        """
        with reading(self._engine) as connection:
            others = connection.execute(select(workers).where(workers.c.worker != self._worker)).mappings().all()
            known = {row["worker"] for row in others} | {self._worker}
            strays = select(runs.c.worker).where(runs.c.status == "running").distinct()
            dead = {name for name in connection.execute(strays).scalars() if name is not None and name not in known}
        dead |= {
            row["worker"]
            for row in others
            if row["seen_at"] < silent_since or gone(row["host"], row["place"], row["pid"])
        }
        if not dead:
            return ()
        with writing(self._engine, alone=True) as connection:
            still = set(
                connection.execute(
                    select(workers.c.worker).where(workers.c.worker.in_(dead), workers.c.seen_at >= silent_since)
                ).scalars()
            )
            dead -= {name for name in still if not _gone(others, name, gone)}
            theirs = (runs.c.status == "running", runs.c.worker.in_(dead))
            found = tuple(
                (row[0], row[1]) for row in connection.execute(select(runs.c.run, runs.c.worker).where(*theirs))
            )
            connection.execute(update(runs).where(*theirs).values(status="queued", worker=None))
            connection.execute(delete(workers).where(workers.c.worker.in_(dead)))
        return found


def _gone(rows: Iterable[RowMapping], name: str, gone: Callable[[str, str, int], bool]) -> bool:
    return any(
        row["worker"] == name and gone(str(row["host"]), str(row["place"]), int(str(row["pid"]))) for row in rows
    )
