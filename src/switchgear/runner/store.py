"""The runner's record of runs and layers: written by whoever submits, executes or commands, read by everybody."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import and_, delete, func, insert, or_, select, update

from switchgear.runner.database import reading, writing
from switchgear.runner.faults import NoSuchRun, RunConflict, RunnerError
from switchgear.runner.tables import artefacts, layers, lines, runs, workers
from switchgear.runner.views import Artefact, Capacity, Estimate, LayerView, RunPage, RunView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Engine, RowMapping

    from switchgear.runner.views import RunStatus

__all__ = ["RunRow", "RunStore"]

_CHUNK: Final = 500
_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
_PAST: Final = 50
"""Runs of a pipeline that an estimate looks at."""
_VIEWED: Final = frozenset(RunView.__struct_fields__)


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """What executing a run needs to know of it. See *tables.runs*."""

    run: str
    pipeline: str
    job: str | None
    status: str
    priority: int
    input: str
    budget: int | None
    submitted_at: int
    due_at: int
    started_at: int | None
    deadline_at: int | None
    timeout: int | None
    wanted: str
    worker: str | None
    executions: int
    workflow: str
    forked_from: str | None
    fork_step: int | None
    retries: int


class RunStore:
    """Runs and layers over *engine*. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def add(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Put runs into the queue: all of them, or none.

        Raises:
            RunConflict: a run of one of these names is there already.
        """
        with writing(self._engine) as connection:
            for start in range(0, len(rows), _CHUNK):
                part = rows[start : start + _CHUNK]
                names = [str(row["run"]) for row in part]
                taken = connection.execute(select(runs.c.run).where(runs.c.run.in_(names))).scalars().first()
                if taken is not None:
                    msg = f"there is a run {taken!r} already"
                    raise RunConflict(msg)
                connection.execute(insert(runs), [dict(row) for row in part])

    def row(self, run: str) -> RunRow:
        """Return what is needed to execute *run*.

        Raises:
            NoSuchRun: there is none.
        """
        with reading(self._engine) as connection:
            return row_of(connection, run)

    def change(self, run: str, statuses: Collection[RunStatus], values: Mapping[str, object]) -> bool:
        """Set *values* of *run* if its status is one of *statuses*; tell whether it was."""
        query = update(runs).where(runs.c.run == run, runs.c.status.in_(statuses)).values(**values)
        with writing(self._engine) as connection:
            return connection.execute(query).rowcount == 1

    def redo(self, run: str, from_step: int, values: Mapping[str, object]) -> None:
        """Put *run* back into the queue with *values*, and forget its layers from step *from_step* on."""
        with writing(self._engine) as connection:
            connection.execute(delete(layers).where(layers.c.run == run, layers.c.step >= from_step))
            connection.execute(update(runs).where(runs.c.run == run).values(**values))

    def begin_layer(self, run: str, step: int, layer: str, *, budget: int | None, at: int) -> int:
        """Note that a layer has begun; return how often it has by now."""
        where = (layers.c.run == run, layers.c.step == step)
        fresh = {"status": "running", "started_at": at, "ended_at": None, "reason": None}
        with writing(self._engine) as connection:
            before = connection.execute(select(layers.c.executions).where(*where)).scalar()
            if before is None:
                row = {"run": run, "step": step, "layer": layer, "executions": 1, "tries": 0, "cached": 0, "cost": 0}
                connection.execute(insert(layers).values(**row, **fresh, calls=0, budget=budget))
                return 1
            again = {"executions": before + 1, "done": None, "total": None, "note": None, "budget": budget}
            connection.execute(update(layers).where(*where).values(**fresh, **again))
            return int(before) + 1

    def change_layer(self, run: str, step: int, values: Mapping[str, object], *, only_open: bool = False) -> bool:
        """Set *values* of a layer; *only_open*: if it has not ended. Tell whether it was there."""
        query = update(layers).where(layers.c.run == run, layers.c.step == step).values(**values)
        if only_open:
            query = query.where(layers.c.ended_at.is_(None))
        with writing(self._engine) as connection:
            return connection.execute(query).rowcount == 1

    def count(self, run: str, *, cost: int, calls: int, by_step: Mapping[int, tuple[int, int]]) -> None:
        """Set what the calls of *run* came to, in all and (cost, calls) by step."""
        with writing(self._engine) as connection:
            connection.execute(update(runs).where(runs.c.run == run).values(cost=cost, calls=calls))
            for step, (spent, made) in by_step.items():
                where = (layers.c.run == run, layers.c.step == step)
                connection.execute(update(layers).where(*where).values(cost=spent, calls=made))

    def layers(self, run: str) -> tuple[LayerView, ...]:
        """Return the layers of *run* that have begun, in order."""
        with reading(self._engine) as connection:
            return _layers(connection, run)

    def view(self, run: str) -> RunView:
        """Return *run* with its layers and artefacts.

        Raises:
            NoSuchRun: there is none.
        """
        with reading(self._engine) as connection:
            found = connection.execute(select(runs).where(runs.c.run == run)).mappings().first()
            if found is None:
                raise _missing(run)
            begun = _layers(connection, run)
            files = connection.execute(select(artefacts).where(artefacts.c.run == run).order_by(artefacts.c.name))
            return msgspec.structs.replace(
                _view(found),
                layers=begun,
                artefacts=tuple(_artefact(row) for row in files.mappings()),
                layers_done=sum(layer.status in {"ok", "skipped"} for layer in begun),
            )

    def page(
        self,
        *,
        limit: int,
        after: str | None = None,
        status: str | None = None,
        pipeline: str | None = None,
        job: str | None = None,
    ) -> RunPage:
        """Return runs, newest first; paging on skips and repeats nothing.

        Raises:
            RunnerError: *after* is not the *next* of a page.
        """
        query = select(runs).order_by(runs.c.submitted_at.desc(), runs.c.run.desc()).limit(limit + 1)
        for column, wanted in ((runs.c.status, status), (runs.c.pipeline, pipeline), (runs.c.job, job)):
            if wanted is not None:
                query = query.where(column == wanted)
        if after is not None:
            at, name = _from_cursor(after)
            query = query.where(or_(runs.c.submitted_at < at, and_(runs.c.submitted_at == at, runs.c.run < name)))
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
            page = [_view(row) for row in found[:limit]]
            done = _done(connection, [view.run for view in page])
        items = tuple(msgspec.structs.replace(view, layers_done=done.get(view.run, 0)) for view in page)
        last = page[-1] if len(found) > limit else None
        return RunPage(items=items, next=None if last is None else _to_cursor(last.submitted_at, last.run))

    def past_layers(self, pipelines: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the layers of the last run that ended well, for each of *pipelines* that has one."""
        found: dict[str, tuple[str, ...]] = {}
        with reading(self._engine) as connection:
            for pipeline in pipelines:
                query = (
                    select(runs.c.run)
                    .where(runs.c.pipeline == pipeline, runs.c.status == "ok")
                    .order_by(runs.c.submitted_at.desc())
                    .limit(1)
                )
                last = connection.execute(query).scalar()
                if last is not None:
                    found[pipeline] = tuple(layer.layer for layer in _layers(connection, last))
        return found

    def estimate(self, pipeline: str) -> Estimate:
        """Return what the last runs of *pipeline* that ended well have taken."""
        query = (
            select(runs.c.cost, runs.c.started_at, runs.c.ended_at)
            .where(runs.c.pipeline == pipeline, runs.c.status == "ok", runs.c.started_at.is_not(None))
            .order_by(runs.c.submitted_at.desc())
            .limit(_PAST)
        )
        with reading(self._engine) as connection:
            past = connection.execute(query).all()
        if not past:
            return Estimate(runs=0, cost=None, highest_cost=None, duration_us=None)
        costs = sorted(int(row[0]) for row in past)
        spans = sorted(int(row[2] - row[1]) for row in past)
        middle = len(past) // 2
        return Estimate(runs=len(past), cost=costs[middle], highest_cost=costs[-1], duration_us=spans[middle])

    def capacity(self, *, now: int, alive_since: int, max_concurrency: int) -> Capacity:
        """Return how busy the runner is at *now*; workers that were seen since *alive_since* count."""
        counted = select(runs.c.status, func.count(), func.min(runs.c.due_at)).group_by(runs.c.status)
        counted = counted.where(runs.c.status.in_(("queued", "running", "paused")))
        alive = select(func.count(), func.max(workers.c.max_concurrency)).where(workers.c.seen_at >= alive_since)
        with reading(self._engine) as connection:
            found = {row[0]: (int(row[1]), int(row[2])) for row in connection.execute(counted)}
            there, most = connection.execute(alive).one()
        queued, oldest = found.get("queued", (0, now))
        return Capacity(
            active_runs=found.get("running", (0, 0))[0],
            max_concurrency=int(most or max_concurrency),
            queued=queued,
            paused=found.get("paused", (0, 0))[0],
            oldest_wait_us=max(0, now - oldest) if queued else None,
            workers=int(there),
        )

    def troubles(self, now: int) -> dict[str, dict[str, float]]:
        """Return by metric and pipeline: runs failed within an hour, minutes of the longest and of the quietest."""
        failed = select(runs.c.pipeline, func.count()).where(runs.c.status == "failed", runs.c.ended_at > now - _HOUR)
        said = func.max(lines.c.at)
        quiet = select(runs.c.pipeline, runs.c.started_at, said).join(lines, lines.c.run == runs.c.run, isouter=True)
        quiet = quiet.where(runs.c.status == "running", runs.c.started_at.is_not(None))
        with reading(self._engine) as connection:
            known = connection.execute(select(runs.c.pipeline).distinct()).scalars().all()
            lost = {str(row[0]): float(row[1]) for row in connection.execute(failed.group_by(runs.c.pipeline))}
            active = connection.execute(quiet.group_by(runs.c.run, runs.c.pipeline, runs.c.started_at)).all()
        longest, stillest = dict.fromkeys(known, 0.0), dict.fromkeys(known, 0.0)
        for pipeline, started, heard in active:
            longest[pipeline] = max(longest[pipeline], (now - started) / _MINUTE)
            stillest[pipeline] = max(stillest[pipeline], (now - (heard or started)) / _MINUTE)
        return {
            "run.failed": {name: lost.get(name, 0.0) for name in known},
            "run.minutes": longest,
            "run.quiet_minutes": stillest,
        }

    def add_artefact(self, run: str, artefact: Artefact) -> None:
        """Note a file of *run*; one of the same name is replaced."""
        with writing(self._engine) as connection:
            connection.execute(delete(artefacts).where(artefacts.c.run == run, artefacts.c.name == artefact.name))
            connection.execute(insert(artefacts).values(run=run, **msgspec.structs.asdict(artefact)))

    def artefact(self, run: str, name: str) -> Artefact | None:
        """Return what is known of file *name* of *run*; None: the run has none of that name."""
        query = select(artefacts).where(artefacts.c.run == run, artefacts.c.name == name)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else _artefact(found)


def row_of(connection: Connection, run: str) -> RunRow:
    """Return *run* as executing it needs it."""
    columns = [runs.c[name] for name in RunRow.__struct_fields__]
    found = connection.execute(select(*columns).where(runs.c.run == run)).mappings().first()
    if found is None:
        raise _missing(run)
    return RunRow(**found)


def _layers(connection: Connection, run: str) -> tuple[LayerView, ...]:
    query = select(*(layers.c[name] for name in LayerView.__struct_fields__)).where(layers.c.run == run)
    found = connection.execute(query.order_by(layers.c.step)).mappings()
    return tuple(LayerView(**{**row, "cached": bool(row["cached"])}) for row in found)


def _done(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    query = select(layers.c.run, func.count()).where(layers.c.run.in_(names), layers.c.status.in_(("ok", "skipped")))
    return {row[0]: int(row[1]) for row in connection.execute(query.group_by(layers.c.run))}


def _artefact(row: RowMapping) -> Artefact:
    return Artefact(**{name: row[name] for name in Artefact.__struct_fields__})


def _view(row: RowMapping) -> RunView:
    facts: dict[str, Any] = {name: row[name] for name in row if name in _VIEWED}
    facts["input"] = json.loads(row["input"])
    facts["output"] = None if row["output"] is None else json.loads(row["output"])
    return RunView(**facts)


def _missing(run: str) -> NoSuchRun:
    msg = f"there is no run {run!r}"
    return NoSuchRun(msg)


def _to_cursor(at: int, run: str) -> str:
    return base64.urlsafe_b64encode(f"{at}|{run}".encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, mark, run = text.partition("|")
        if mark:
            return int(at), run
    except (binascii.Error, ValueError):
        pass
    msg = f"this is not the next of a page of runs: {cursor!r}"
    raise RunnerError(msg)
