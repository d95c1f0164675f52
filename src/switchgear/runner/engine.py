"""DBOS underneath: the durable record of what layers have put out, and the way back into a run that was interrupted."""

from __future__ import annotations

import contextvars
import hashlib
import logging
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from switchgear.runner.faults import RunnerError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from dbos import DBOS

    from switchgear.runner.store import RunRow

__all__ = ["Engine", "Executor"]

_VERSION: Final = "switchgear-1"
"""DBOS would take a hash of the functions' source, and strand runs whenever a line of it changes."""

_LOOK: Final = 0.2
"""Seconds between two looks of DBOS at what is to go on; its own queue waits for a second."""

_ONE: Final = threading.Lock()
"""DBOS is one to a process."""


def _worth_telling(record: logging.LogRecord) -> bool:
    """Leave out that a parked execution has ended: DBOS calls that an error."""
    from dbos import error

    raised = record.exc_info[1] if record.exc_info else None
    return not isinstance(raised, error.DBOSAwaitedWorkflowCancelledError)


class Executor(Protocol):
    """Who really runs what DBOS has on record, by its name of it."""

    def execute(self, workflow: str, run: str) -> str: ...

    async def aexecute(self, workflow: str, run: str) -> str: ...


class Engine:
    """Starts, resumes, forks and parks durable executions.

    Args:
        url: where DBOS keeps its tables.
        worker: the name of this process among all.
        executor: who runs them.
        pipelines: those that this process has: what is to go on is only taken up by processes that have the same.

    Raises:
        RunnerError: DBOS is missing, or in use in this process already.
    """

    def __init__(self, url: str, worker: str, executor: Executor, pipelines: Iterable[str]) -> None:
        self._url: Final = url
        self._worker: Final = worker
        self._executor: Final = executor
        self._queue: Final = "switchgear-" + hashlib.sha256("\n".join(sorted(pipelines)).encode()).hexdigest()[:16]
        self._failed: BaseException | None = None
        self._holds = False  # the one DBOS of this process
        self._start_sync: Callable[[str], str] | None = None
        self._start_async: Callable[[str], Coroutine[Any, Any, str]] | None = None

    def launch(self) -> None:
        """Open DBOS. From here on it may execute runs that were interrupted."""
        try:
            from dbos import DBOS, DBOSPortableJSONSerializer
        except ModuleNotFoundError as error:
            msg = 'the runner needs the extra "runner": pip install "switchgear[runner]"'
            raise RunnerError(msg) from error
        if not _ONE.acquire(blocking=False):
            msg = "there is a runner in this process already"
            raise RunnerError(msg)
        self._holds = True
        try:
            logging.getLogger("dbos").addFilter(_worth_telling)
            DBOS(
                config={
                    "name": "switchgear",
                    "system_database_url": self._url,
                    "executor_id": self._worker,
                    "application_version": _VERSION,
                    "serializer": DBOSPortableJSONSerializer(),
                    "log_level": "ERROR",
                    "notification_listener_polling_interval_sec": 1.0,
                }
            )
            self._register(DBOS)
            # Not from here: in a thread with an event loop DBOS would run everybody's pipelines on that loop.
            launching = threading.Thread(target=self._launch, args=(DBOS,), name="runner launch")
            launching.start()
            launching.join()
            self._raise_failed()
        except BaseException:
            self._destroy(0)
            raise

    def _raise_failed(self) -> None:
        if self._failed is not None:
            msg = f"DBOS can't be opened: {self._failed}"
            raise RunnerError(msg) from self._failed

    def begin(self, row: RunRow, *, is_async: bool) -> None:
        """Have *row* executed: for the first time, from where it was interrupted, or as a fork of an earlier one."""
        contextvars.Context().run(self._begin, row, is_async)

    def park(self, workflow: str) -> None:
        """Take note that *workflow* is not executed until it is begun again; what its layers put out is kept."""
        from dbos import DBOS

        contextvars.Context().run(DBOS.cancel_workflow, workflow)

    def parked(self, workflow: str) -> BaseException:
        """Return what an execution raises that ends here and can go on later."""
        from dbos import error

        return error.DBOSWorkflowCancelledError(f"{workflow} is parked")

    def close(self, seconds: int = 0) -> None:
        """Close DBOS."""
        self._destroy(seconds)

    def _register(self, dbos: type[DBOS]) -> None:
        executor = self._executor

        # The arguments of a fork are those of the first execution: which one this is, DBOS says.
        @dbos.workflow(name="switchgear.run", max_recovery_attempts=None)
        def run(name: str) -> str:
            return executor.execute(str(dbos.workflow_id), name)

        @dbos.workflow(name="switchgear.run_async", max_recovery_attempts=None)
        async def run_async(name: str) -> str:
            return await executor.aexecute(str(dbos.workflow_id), name)

        self._start_sync, self._start_async = run, run_async

    def _launch(self, dbos: type[DBOS]) -> None:
        try:
            dbos.launch()
            dbos.register_queue(self._queue, polling_interval_sec=_LOOK)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._failed = error

    def _begin(self, row: RunRow, is_async: bool) -> None:  # noqa: FBT001 - called through a context
        from dbos import DBOS, SetWorkflowID

        known = DBOS.get_workflow_status(row.workflow)
        if known is not None:
            DBOS.resume_workflow(row.workflow, queue_name=self._queue)
            return
        start = self._start_async if is_async else self._start_sync
        if start is None:
            msg = "the runner is not open"
            raise RunnerError(msg)
        if row.forked_from is not None and DBOS.get_workflow_status(row.forked_from) is not None:
            with SetWorkflowID(row.workflow):
                DBOS.fork_workflow(row.forked_from, row.fork_step or 1, queue_name=self._queue)
            return
        with SetWorkflowID(row.workflow):
            DBOS.start_workflow(start, row.run)

    def _destroy(self, seconds: int) -> None:
        if not self._holds:
            return
        from dbos import DBOS

        self._holds = False
        try:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=seconds)
        finally:
            _ONE.release()
