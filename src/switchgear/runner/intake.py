"""Submitting runs: checked against the pipeline's types before anything is on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from switchgear.runner.codec import as_json
from switchgear.runner.faults import RunnerError
from switchgear.runner.layers import positive_nano
from switchgear.runner.naming import checked_run, new_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.store import RunStore

__all__ = ["Intake"]

_PRIORITIES: Final = 1_000_000
_LONGEST_JOB: Final = 256


class Intake:
    """Makes rows of runs, and puts them into the queue of *store*."""

    def __init__(self, store: RunStore) -> None:
        self._store: Final = store

    def submit(
        self,
        pipeline: Pipeline[..., Any],
        inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]],
        *,
        jobs: Iterable[str | None] | str | None,
        priority: int,
        budget_usd: Decimal | int | str | None,
        run: str | None,
        now: int,
    ) -> tuple[str, ...]:
        """Put one run for each of *inputs* into the queue, all or none; return their names.

        Raises:
            RunnerError: an input does not fit the pipeline, or a setting is wrong; nothing is submitted.
        """
        if isinstance(priority, bool) or abs(priority) > _PRIORITIES:
            msg = f"a priority is a whole number between -{_PRIORITIES} and {_PRIORITIES}, not {priority!r}"
            raise RunnerError(msg)
        budget = None if budget_usd is None else positive_nano("budget_usd", budget_usd)
        texts = [
            as_json(pipeline.signature.check(args, kwargs), f"the input of {pipeline.name}") for args, kwargs in inputs
        ]
        named = [jobs] * len(texts) if jobs is None or isinstance(jobs, str) else list(jobs)
        if len(named) != len(texts):
            msg = f"there are {len(texts)} inputs and {len(named)} jobs"
            raise RunnerError(msg)
        estimate = self._store.estimate(pipeline.name).cost
        rows = []
        # A microsecond apart, so that they go, and are listed, in the order in which they were given.
        for at, (text, job) in enumerate(zip(texts, named, strict=True), start=now):
            name = new_run(job or pipeline.name, now) if run is None else checked_run(run)
            rows.append(
                {
                    "run": name,
                    "pipeline": pipeline.name,
                    "job": _job(job),
                    "status": "queued",
                    "priority": priority,
                    "input": text,
                    "budget": budget,
                    "estimate": estimate,
                    "cost": 0,
                    "calls": 0,
                    "submitted_at": at,
                    "due_at": at,
                    "timeout": pipeline.timeout_us,
                    "wanted": "",
                    "executions": 0,
                    "workflow": name,
                    "retries": 0,
                }
            )
        self._store.add(rows)
        return tuple(str(row["run"]) for row in rows)


def _job(job: str | None) -> str | None:
    if job is None:
        return None
    if not job or len(job) > _LONGEST_JOB or not job.isprintable():
        msg = f"a job's name has 1 to {_LONGEST_JOB} printable characters, not {job!r}"
        raise RunnerError(msg)
    return job
