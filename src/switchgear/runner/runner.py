"""``Runner``: pipelines that survive, over one database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.durations import parse_duration
from switchgear.money import to_usd
from switchgear.runner.commands import RunCommands
from switchgear.runner.database import durable_url, folder_of, open_database
from switchgear.runner.faults import RunnerError
from switchgear.runner.intake import Intake
from switchgear.runner.layers import positive_nano
from switchgear.runner.scheduling import Schedules
from switchgear.runner.views import Schedule
from switchgear.runner.watching import RunWatch
from switchgear.runner.worker import Worker
from switchgear.runner.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal
    from types import TracebackType
    from typing import Self

    from switchgear.clients.governor import Governor
    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.views import Artefact, Capacity, Estimate, LogPage, PipelineView, RunPage, RunView

__all__ = ["Runner"]

_SCHEDULE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Runner:
    """Runs pipelines, and goes on with those that were interrupted. One to a process; close it, or leave its block.

    Args:
        governor: what the calls of layers go through; it stays open longer than the runner.
        url: ``sqlite:///runs.db`` (a file of its own, and one beside it for what layers put out), or
            ``postgresql+psycopg://...`` for workers on several machines.
        pipelines: those that it can run; or *add* them before it is started.
        max_concurrency: how many runs go at once at most, over all workers of this database.
        files: the folder of artefacts; default: beside the database. On several machines: one that all of them see.
        work: whether this process executes runs; False: it only submits, shows and commands.
        heartbeat: how often a worker says that it is alive, and looks around.
        dead_after: after how long a silence another machine's worker is taken for dead; one on the same machine is
            seen to be dead at once.
        drain: how long *close* lets layers that are under way go on.

    Raises:
        RunnerError: the database can't be opened, DBOS is missing, or a setting is wrong.
    """

    def __init__(  # noqa: PLR0913 - each is one setting, by name
        self,
        governor: Governor,
        *,
        url: str = "sqlite:///runs.db",
        pipelines: Iterable[Pipeline[..., Any]] = (),
        max_concurrency: int = 3,
        files: str | Path | None = None,
        work: bool = True,
        heartbeat: str = "1s",
        dead_after: str = "15s",
        drain: str = "20s",
    ) -> None:
        if isinstance(max_concurrency, bool) or max_concurrency < 1:
            msg = f"max_concurrency counts from 1, not {max_concurrency!r}"
            raise RunnerError(msg)
        self._max: Final = max_concurrency
        self._dead_after: Final = parse_duration(dead_after)
        beat = parse_duration(heartbeat)
        if not 0 < beat * 3 <= self._dead_after:
            msg = f"dead_after ({dead_after}) is at least three heartbeats ({heartbeat})"
            raise RunnerError(msg)
        self._drain: Final = parse_duration(drain) / 1e6
        self._pipelines: Final[dict[str, Pipeline[..., Any]]] = {}
        for one in pipelines:
            self.add(one)
        engine = open_database(url)
        self._shop: Final = Workshop(engine, governor, Path(files) if files is not None else folder_of(url))
        self._intake: Final = Intake(self._shop.store)
        self._commands: Final = RunCommands(self._shop)
        self._schedules: Final = Schedules(engine)
        self._watch: Final = RunWatch(self._shop, self._pipelines)
        self._worker: Worker | None = None
        self._closed = False
        if work:
            self._worker = Worker(
                self._shop,
                self._pipelines,
                durable_url=durable_url(url),
                max_concurrency=max_concurrency,
                beat_us=beat,
                dead_after_us=self._dead_after,
                also=lambda now: self._schedules.start_due(now, self._start_scheduled),
            )

    def add(self, pipeline: Pipeline[..., Any]) -> None:
        """Know *pipeline* from now on.

        Raises:
            RunnerError: another one of its name is known.
        """
        known = self._pipelines.setdefault(pipeline.name, pipeline)
        if known is not pipeline:
            msg = f"there are two pipelines called {pipeline.name!r}"
            raise RunnerError(msg)

    def start(self) -> Self:
        """Begin to execute runs; entering the ``with`` block does it.

        Raises:
            RunnerError: DBOS can't be opened, or there is a runner in this process already.
        """
        if self._worker is not None:
            self._worker.start()
        return self

    def close(self) -> None:
        """Take no more runs; layers under way get until *drain* to end. The rest goes on with the next worker."""
        if not self._closed:
            self._closed = True
            if self._worker is not None:
                self._worker.close(self._drain)
            self._shop.engine.dispose()

    def submit(
        self,
        pipeline: str | Pipeline[..., Any],
        *args: object,
        job: str | None = None,
        priority: int = 0,
        budget_usd: Decimal | int | str | None = None,
        run: str | None = None,
        **kwargs: object,
    ) -> str:
        """Put a run into the queue, durably, and return its name at once.

        Args:
            pipeline: its name, or itself.
            *args: what it is called with; plain JSON serves as well as the types themselves.
            job: what it is done for; its calls carry it.
            priority: higher ones go first.
            budget_usd: what its calls may cost, in all its layers; held by the gate.
            run: its name; default: a new one. A second submission of the same name is refused, which makes
                submitting safe to repeat.
            **kwargs: what it is called with, by name.

        Raises:
            RunnerError: the pipeline is not known, its input does not fit, or a setting is wrong.
            RunConflict: there is a run of that name.
        """
        inputs = [(args, kwargs)]
        found = self._submit(pipeline, inputs, jobs=job, priority=priority, budget_usd=budget_usd, run=run)
        return found[0]

    def submit_arguments(
        self,
        pipeline: str | Pipeline[..., Any],
        arguments: Mapping[str, object],
        *,
        job: str | None = None,
        priority: int = 0,
        budget_usd: Decimal | int | str | None = None,
        run: str | None = None,
    ) -> str:
        """Do as *submit*, with the pipeline's *arguments* by name as plain JSON, as they come from elsewhere."""
        inputs = [((), arguments)]
        found = self._submit(pipeline, inputs, jobs=job, priority=priority, budget_usd=budget_usd, run=run)
        return found[0]

    def submit_many(
        self,
        pipeline: str | Pipeline[..., Any],
        inputs: Iterable[object],
        *,
        jobs: Iterable[str | None] | str | None = None,
        priority: int = 0,
        budget_usd: Decimal | int | str | None = None,
    ) -> tuple[str, ...]:
        """Put one run for each of *inputs* (its only argument) into the queue, all or none; return their names at once.

        *jobs*: one for all, or one for each. For the rest see *submit*.
        """
        each: list[tuple[tuple[object, ...], dict[str, object]]] = [((one,), {}) for one in inputs]
        return self._submit(pipeline, each, jobs=jobs, priority=priority, budget_usd=budget_usd, run=None)

    def show(self, run: str) -> RunView:
        """Return *run* with its layers, what it cost until now, and its artefacts.

        Raises:
            NoSuchRun: there is none.
        """
        return self._watch.show(run)

    def list(
        self,
        *,
        limit: int = 50,
        after: str | None = None,
        status: str | None = None,
        pipeline: str | None = None,
        job: str | None = None,
    ) -> RunPage:
        """Return runs, newest first, without their layers; *after* is the *next* of the page before.

        Raises:
            RunnerError: *after* is no such thing.
        """
        return self._watch.page(limit=limit, after=after, status=status, pipeline=pipeline, job=job)

    def logs(self, run: str, *, after: int = 0, limit: int = 500) -> LogPage:
        """Return the lines of the log of *run* whose number is above *after*; none is missing and none comes twice.

        Raises:
            NoSuchRun: there is none.
        """
        return self._shop.journal.read(run, after=after, limit=limit)

    def last_line(self, run: str) -> int:
        """Return the number of the last line of the log of *run*; 0: there is none."""
        return self._shop.journal.last(run)

    def artefact(self, run: str, name: str) -> tuple[Artefact, Path]:
        """Return what is known of file *name* of *run*, and where it is.

        Raises:
            RunnerError: the run has no such file.
        """
        return self._shop.files.path(run, name)

    def wait(self, run: str, *, timeout: float | None = None) -> RunView:
        """Return *run* when it has ended or waits for somebody, or after *timeout* seconds as it is then.

        A paused run that goes on by itself is waited for.

        Raises:
            NoSuchRun: there is none.
        """
        return self._watch.wait(run, timeout)

    def cancel(self, run: str, *, by: str = "") -> None:
        self._commands.cancel(run, by=by)
        self._look()

    def pause(self, run: str, *, by: str = "") -> None:
        self._commands.pause(run, by=by)
        self._look()

    def resume(self, run: str, *, by: str = "") -> None:
        self._commands.resume(run, by=by)
        self._look()

    def retry(self, run: str, *, layer: str | None = None, by: str = "") -> None:
        self._commands.retry(run, layer=layer, by=by)
        self._look()

    def schedule(
        self,
        name: str,
        pipeline: str | Pipeline[..., Any],
        cron: str,
        *args: object,
        zone: str = "UTC",
        job: str | None = None,
        budget_usd: Decimal | int | str | None = None,
        **kwargs: object,
    ) -> Schedule:
        """Start *pipeline* whenever *cron* (five fields) says so in time zone *zone*; one of that name is replaced.

        Over all workers each occasion starts one run. Occasions that nobody was there for start one, not all of them.

        Raises:
            RunnerError: the expression, the zone, the name, the pipeline or its input is wrong.
        """
        if not _SCHEDULE.fullmatch(name):
            msg = f"a schedule's name has 1 to 64 letters, digits and ._-, not {name!r}"
            raise RunnerError(msg)
        found = self._known(pipeline)
        budget = None if budget_usd is None else positive_nano("budget_usd", budget_usd)
        schedule = Schedule(
            name=name,
            pipeline=found.name,
            cron=cron,
            zone=zone,
            input=found.signature.check(args, kwargs),
            job=job,
            budget=budget,
            next_at=0,
        )
        return self._schedules.put(schedule, self._shop.now())

    def unschedule(self, name: str) -> bool:
        """Forget schedule *name*; tell whether there was one. Runs that it has started go on."""
        return self._schedules.drop(name)

    def schedules(self) -> tuple[Schedule, ...]:
        """Return every schedule, by name."""
        return self._schedules.all()

    def pipelines(self) -> tuple[PipelineView, ...]:
        """Return the pipelines that it knows, by name."""
        return tuple(one.view() for _, one in sorted(self._pipelines.items()))

    def estimate(self, pipeline: str | Pipeline[..., Any]) -> Estimate:
        """Return what runs of *pipeline* that ended well used to cost and take; unknown where there were none."""
        name = pipeline if isinstance(pipeline, str) else pipeline.name
        return self._shop.store.estimate(name)

    def capacity(self) -> Capacity:
        """Return how busy the runner is, over all workers of this database."""
        now = self._shop.now()
        return self._shop.store.capacity(now=now, alive_since=now - self._dead_after, max_concurrency=self._max)

    def troubles(self, now: int) -> dict[str, dict[str, float]]:
        """Return what alerts look at, at *now* in epoch microseconds, by metric and pipeline; nothing if it can't."""
        try:
            return self._shop.store.troubles(now)
        except RunnerError:
            return {}

    def _submit(
        self,
        pipeline: str | Pipeline[..., Any],
        inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]],
        *,
        jobs: Iterable[str | None] | str | None,
        priority: int,
        budget_usd: Decimal | int | str | None,
        run: str | None,
    ) -> tuple[str, ...]:
        known = self._known(pipeline)
        names = self._intake.submit(
            known, inputs, jobs=jobs, priority=priority, budget_usd=budget_usd, run=run, now=self._shop.now()
        )
        self._look()
        return names

    def _start_scheduled(self, schedule: Schedule, run: str) -> None:
        budget = None if schedule.budget is None else to_usd(schedule.budget)
        stored = msgspec.convert(schedule.input, dict[str, object])
        self._submit(schedule.pipeline, [((), stored)], jobs=schedule.job, priority=0, budget_usd=budget, run=run)

    def _known(self, pipeline: str | Pipeline[..., Any]) -> Pipeline[..., Any]:
        name = pipeline if isinstance(pipeline, str) else pipeline.name
        found = self._pipelines.get(name)
        if found is None:
            known = ", ".join(sorted(self._pipelines)) or "none"
            msg = f"there is no pipeline {name!r}; the known ones are: {known}"
            raise RunnerError(msg)
        return found

    def _look(self) -> None:
        if self._worker is not None:
            self._worker.look()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
