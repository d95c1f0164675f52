"""Runs as people and pages see them: frozen, in micros and nano-USD; the surface turns them into words."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = [
    "ENDED",
    "Artefact",
    "Capacity",
    "Estimate",
    "LayerStatus",
    "LayerView",
    "LogLine",
    "LogPage",
    "PipelineView",
    "RunPage",
    "RunStatus",
    "RunView",
    "Schedule",
]

RunStatus = Literal["queued", "running", "paused", "ok", "failed", "cancelled"]
"""Where a run stands. ``paused`` holds no place among the running ones."""

ENDED: frozenset[RunStatus] = frozenset({"ok", "failed", "cancelled"})

LayerStatus = Literal["waiting", "running", "ok", "failed", "skipped", "paused", "cancelled"]


class LayerView(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of one run.

    Attributes:
        step: counts the layers of a run as they begin; None: not begun yet.
        executions: how often it was begun: above 1, a worker died in it or it was resumed.
        tries: tries on failures, all executions together.
        cached: its output is of an earlier run.
        done, total: its own report of progress; None: it has not said any.
        note: what it said of its progress.
        reason: why it was skipped, or failed.
        budget: what its calls in this run may cost, in nano-USD; None: no limit of its own.
        cost: what its settled calls cost, in nano-USD.
    """

    layer: str
    status: LayerStatus
    step: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    executions: int = 0
    tries: int = 0
    cached: bool = False
    done: float | None = None
    total: float | None = None
    note: str | None = None
    reason: str | None = None
    budget: int | None = None
    cost: int = 0
    calls: int = 0


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a layer has added to its run."""

    name: str
    layer: str | None
    at: int
    size: int
    sha256: str
    media_type: str


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        input, output: JSON values.
        error: type and message of what made it fail.
        reason: why it is paused, in a sentence.
        due_at: when it may go; a paused run goes on by itself then, and at 0 when somebody resumes it.
        budget: what its calls may cost, in nano-USD; None: no limit of its own.
        estimate: the median cost of runs of this pipeline when it was submitted; None: there were none.
        cost: what its settled calls cost, in nano-USD.
        executions: how often a worker began it; *retries*: how often somebody had it redone from a layer.
        wanted: ``pause`` or ``cancel``, asked for and not yet done.
        layers: those that have begun, in order, then those that are known to come. Empty in lists.
        layers_done, layers_total: of them; the total is None while it is not known.
    """

    run: str
    pipeline: str
    job: str | None
    status: RunStatus
    priority: int
    input: Any
    output: Any
    error: str | None
    reason: str | None
    budget: int | None
    estimate: int | None
    cost: int
    calls: int
    submitted_at: int
    due_at: int
    started_at: int | None
    ended_at: int | None
    wanted: str
    worker: str | None
    executions: int
    retries: int
    layers: tuple[LayerView, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    layers_done: int = 0
    layers_total: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it by itself any more."""
        return self.status in ENDED


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, newest first; *next* is the cursor of the rest, None at the end."""

    items: tuple[RunView, ...]
    next: str | None


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a run's log: *number* counts from 1 within the run, without gaps.

    *kind*: ``run`` or ``layer`` for what the runner says, ``log`` and ``progress`` for what a layer says.
    """

    number: int
    at: int
    kind: str
    layer: str | None
    text: str


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines in order. *next* goes into ``after`` for those to come; *ended*: there will be none."""

    items: tuple[LogLine, ...]
    next: int
    ended: bool


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the runner is. *oldest_wait_us*: of the queued run that waits longest; None: none waits."""

    active_runs: int
    max_concurrency: int
    queued: int
    paused: int
    oldest_wait_us: int | None
    workers: int

    @property
    def capacity_percent(self) -> float:
        """Active runs as a share of what may be active, in percent."""
        return 100.0 * self.active_runs / self.max_concurrency if self.max_concurrency else 0.0


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What runs of a pipeline that ended well used to take, over the last *runs* of them.

    Of no run nothing is known: every number is None.
    """

    runs: int
    cost: int | None
    highest_cost: int | None
    duration_us: int | None


class PipelineView(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline that this runner can start; *layers* are those that it declares."""

    name: str
    description: str
    max_concurrency: int | None
    timeout_us: int | None
    layers: tuple[str, ...]
    input_schema: dict[str, object]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline that is started by a cron expression, in a time zone."""

    name: str
    pipeline: str
    cron: str
    zone: str
    input: Any
    job: str | None
    budget: int | None
    next_at: int
