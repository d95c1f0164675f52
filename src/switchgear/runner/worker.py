"""The worker: a thread that says it is alive, takes runs from the queue, and stops those that are to stop."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from switchgear.errors import SwitchgearError
from switchgear.runner.ending import Ending, ending_of
from switchgear.runner.engine import Engine
from switchgear.runner.place import gone, here, new_worker
from switchgear.runner.queue import RunQueue
from switchgear.runner.session import Session
from switchgear.runner.tasks import TaskSession
from switchgear.runner.threads import ThreadSession
from switchgear.telemetry.logs.line import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.store import RunRow
    from switchgear.runner.workshop import Workshop

__all__ = ["Worker"]

SessionT = TypeVar("SessionT", bound=Session)

_UNSEEN: Final = 30.0
"""Seconds after which a run that was begun and is executed nowhere is begun again."""

_log = logging.getLogger("switchgear.runner")


class Worker:
    """Executes runs in this process. Make one, *start* it, *close* it.

    Args:
        shop: the stores and the governor.
        pipelines: those it knows, by name.
        durable_url: where DBOS keeps its tables.
        max_concurrency: how many runs go at once at most, over all workers of this database.
        beat_us: how often it says that it is alive, and looks around.
        dead_after_us: after how long a silence another worker is taken for dead.
        also: called with each look around, for what else is due.
    """

    def __init__(
        self,
        shop: Workshop,
        pipelines: Mapping[str, Pipeline[..., Any]],
        *,
        durable_url: str,
        max_concurrency: int,
        beat_us: int,
        dead_after_us: int,
        also: Callable[[int], None],
    ) -> None:
        self.name: Final = new_worker()
        self._shop: Final = shop
        self._pipelines: Final = pipelines
        self._queue: Final = RunQueue(shop.engine, self.name)
        self._durable_url: Final = durable_url
        self._made: Engine | None = None
        self._max: Final = max_concurrency
        self._beat: Final = beat_us / 1e6
        self._dead_after_us: Final = dead_after_us
        self._also: Final = also
        self._sessions: Final[dict[str, Session]] = {}
        self._begun: Final[dict[str, float]] = {}
        self._wake: Final = threading.Event()
        self._ended: Final = threading.Event()
        self._claiming = True
        self._thread = threading.Thread(target=self._keep, name="runner", daemon=True)

    def start(self) -> None:
        """Begin to take runs.

        Raises:
            RunnerError: DBOS or the database can't be opened.
        """
        self._sign_on()
        # Only now are all of its pipelines known.
        self._made = Engine(self._durable_url, self.name, self, self._pipelines)
        try:
            self._engine.launch()
        except BaseException:
            self._queue.sign_off()
            raise
        self._thread.start()

    @property
    def _engine(self) -> Engine:
        assert self._made is not None  # noqa: S101 - nothing is executed before it is started
        return self._made

    def look(self) -> None:
        """Have it look for work at once."""
        self._wake.set()

    def close(self, drain: float) -> None:
        """Take no more runs, let layers end for up to *drain* seconds, give unfinished runs back to the queue."""
        if self._thread.ident is None:
            return  # it was never started
        self._claiming = False
        for session in tuple(self._sessions.values()):
            session.stop("drain", "its worker is about to end")
        ends = self._shop.governor.clock.monotonic() + drain
        while self._sessions and self._shop.governor.clock.monotonic() < ends:
            self._ended.wait(0.05)
            self._ended.clear()
        for session in tuple(self._sessions.values()):
            session.stop("lost", "its worker has ended")
        self._thread_end()
        self._engine.close()
        for run in self._queue.claimed():
            self._queue.leave(run, {"status": "queued"})
            self._shop.let_go(run)
        self._queue.sign_off()

    def execute(self, workflow: str, run: str) -> str:
        """Execute *run* in this thread: what DBOS calls for a sync pipeline."""
        session = self._take(workflow, run, ThreadSession)
        try:
            result = session.play()
        except BaseException as error:  # noqa: BLE001 - somebody else's code; put on record by _leave
            self._leave(session, ending_of(session, error))
        else:
            self._leave(session, ending_of(session, None, result))
        return run

    async def aexecute(self, workflow: str, run: str) -> str:
        """The same in a task, for an async pipeline."""
        session = await asyncio.to_thread(self._take, workflow, run, TaskSession)
        try:
            result = await session.play()
        except BaseException as error:  # noqa: BLE001 - somebody else's code; put on record by _leave
            ending = ending_of(session, error)
        else:
            ending = ending_of(session, None, result)
        await asyncio.shield(asyncio.to_thread(self._leave, session, ending))
        return run

    def _tell(self, session: Session, status: str) -> None:
        """Log that the run has another status. Why is in its own log: there may be words of the caller's in it."""
        row = session.row
        level = logging.WARNING if status == "failed" else logging.INFO
        said = {"job": row.job, "pipeline": row.pipeline, "worker": self.name}
        say(_log, level, "run_changed", (session.run, status), run=session.run, status=status, **said)

    def _take(self, workflow: str, run: str, kind: type[SessionT]) -> SessionT:
        row = self._queue.take(run, workflow, self._shop.now())
        if row is None:
            raise self._engine.parked(workflow)
        session = kind(row, self._pipelines[row.pipeline], self._shop)
        self._sessions[run] = session
        self._begun.pop(run, None)
        if row.budget is not None:
            self._shop.hold(run, {None: row.budget})
        again = "" if row.executions == 1 else f" again (execution {row.executions})"
        self._shop.say(run, f"{row.pipeline} began{again} on worker {self.name}")
        self._tell(session, "running")
        return session

    def _leave(self, session: Session, ending: Ending) -> None:
        """Put on record how an execution ended.

        For DBOS a run that failed has ended as one that ended well: what is kept of its layers is the same.

        Raises:
            BaseException: it is parked.
        """
        run, shop = session.run, self._shop
        try:
            shop.count(run)
            if ending.parks and ending.values is not None:
                # First DBOS, then the record: nobody can resume it before it is parked.
                self._engine.park(session.row.workflow)
            if ending.values is not None and run in self._queue.claimed():
                # The last line first: who sees that a run has ended has all of its log.
                shop.say(run, ending.text)
                self._queue.leave(run, ending.values)
                self._tell(session, ending.values["status"])
        finally:
            shop.let_go(run)
            self._sessions.pop(run, None)
            self._ended.set()
            self.look()
        if ending.parks:
            raise self._engine.parked(session.row.workflow)

    def _keep(self) -> None:
        while self._claiming:
            try:
                self._round()
            except SwitchgearError:
                _log.exception("the runner could not look after its runs; it tries again")
            self._wake.wait(self._beat)
            self._wake.clear()

    def _round(self) -> None:
        now = self._shop.now()
        if not self._queue.beat(now):
            for session in tuple(self._sessions.values()):
                session.stop("lost", "the other workers have taken this one for dead")
            self._sign_on()
        for run, why in self._queue.wanted().items():
            if (found := self._sessions.get(run)) is not None:
                found.stop(why, "somebody asked for it")
        for run, worker in self._queue.reap(silent_since=now - self._dead_after_us, gone=gone):
            _log.warning("run %s goes on: its worker %s has died", run, worker)
            self._shop.say(run, f"its worker {worker} has died; it goes on from the layers that have finished")
        self._queue.wake_due(now)
        self._also(now)
        self._begin_again()
        limits = {name: one.max_concurrency for name, one in self._pipelines.items()}
        while self._claiming:
            row = self._queue.claim(now=self._shop.now(), max_concurrency=self._max, limits=limits)
            if row is None:
                return
            self._begin(row)

    def _begin(self, row: RunRow) -> None:
        self._begun[row.run] = self._shop.governor.clock.monotonic()
        try:
            self._engine.begin(row, is_async=self._pipelines[row.pipeline].is_async)
        except Exception as error:  # noqa: BLE001 - DBOS's own; the run stays in the queue and it is logged
            _log.exception("run %s can't be begun", row.run)
            self._begun.pop(row.run, None)
            self._queue.leave(row.run, {"status": "queued", "due_at": self._shop.now() + 5_000_000})
            self._shop.say(row.run, f"it can't be begun: {type(error).__name__}: {error}")

    def _begin_again(self) -> None:
        """See after runs that were begun and are executed nowhere: the process that took them up has died."""
        late = self._shop.governor.clock.monotonic() - _UNSEEN
        for run, since in tuple(self._begun.items()):
            if since < late:
                self._begun.pop(run, None)
                if run in self._queue.claimed() and run not in self._sessions:
                    self._begin(self._shop.store.row(run))

    def _sign_on(self) -> None:
        self._queue.sign_on(here(), at=self._shop.now(), max_concurrency=self._max, pipelines=self._pipelines)

    def _thread_end(self) -> None:
        self.look()
        self._thread.join(timeout=10)
