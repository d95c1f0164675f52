"""Runs in the words of the surface: money as Decimal USD, instants with their zone; for API, command line and pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import msgspec

from switchgear.insight.days import from_micros
from switchgear.money import to_usd
from switchgear.runner.views import (
    Artefact,
    Capacity,
    Estimate,
    LayerStatus,
    LayerView,
    LogLine,
    LogPage,
    PipelineView,
    RunPage,
    RunStatus,
    RunView,
)

__all__ = [
    "ArtefactItem",
    "CapacityItem",
    "EstimateItem",
    "LayerItem",
    "LogItem",
    "LogList",
    "PipelineItem",
    "PipelineList",
    "RunItem",
    "RunList",
]

_MS = 1000


class LayerItem(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of a run; *done* of *total* is its own report, null where it gave none."""

    layer: str
    status: LayerStatus
    step: int | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    duration_ms: int | None
    executions: int
    tries: int
    cached: bool
    done: float | None
    total: float | None
    note: str | None
    reason: str | None
    budget_usd: Decimal | None
    cost_usd: Decimal
    calls: int

    @classmethod
    def of(cls, view: LayerView) -> LayerItem:
        """Return *view* in the words of the surface."""
        took = None if view.started_at is None or view.ended_at is None else (view.ended_at - view.started_at) // _MS
        return cls(
            layer=view.layer,
            status=view.status,
            step=view.step,
            started_at=_instant(view.started_at),
            ended_at=_instant(view.ended_at),
            duration_ms=took,
            executions=view.executions,
            tries=view.tries,
            cached=view.cached,
            done=view.done,
            total=view.total,
            note=view.note,
            reason=view.reason,
            budget_usd=_usd(view.budget),
            cost_usd=to_usd(view.cost),
            calls=view.calls,
        )


class ArtefactItem(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run."""

    name: str
    layer: str | None
    at: dt.datetime
    size: int
    sha256: str
    media_type: str

    @classmethod
    def of(cls, view: Artefact) -> ArtefactItem:
        """Return *view* in the words of the surface."""
        return cls(**{**msgspec.structs.asdict(view), "at": from_micros(view.at)})


class RunItem(msgspec.Struct, frozen=True, kw_only=True):
    """One run; *layers* and *artefacts* are empty in lists, *layers_total* is null while nobody knows it."""

    run: str
    pipeline: str
    job: str | None
    status: RunStatus
    priority: int
    reason: str | None
    error: str | None
    wanted: str
    submitted_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    resumes_at: dt.datetime | None
    duration_ms: int | None
    budget_usd: Decimal | None
    cost_usd: Decimal
    estimate_usd: Decimal | None
    calls: int
    executions: int
    retries: int
    layers_done: int
    layers_total: int | None
    layers: tuple[LayerItem, ...]
    artefacts: tuple[ArtefactItem, ...]
    input: Any = None
    output: Any = None

    @classmethod
    def of(cls, view: RunView, *, whole: bool = True) -> RunItem:
        """Return *view* in the words of the surface; not *whole*: without input and output."""
        took = None if view.started_at is None or view.ended_at is None else (view.ended_at - view.started_at) // _MS
        return cls(
            run=view.run,
            pipeline=view.pipeline,
            job=view.job,
            status=view.status,
            priority=view.priority,
            reason=view.reason,
            error=view.error,
            wanted=view.wanted,
            submitted_at=from_micros(view.submitted_at),
            started_at=_instant(view.started_at),
            ended_at=_instant(view.ended_at),
            resumes_at=_instant(view.due_at or None) if view.status == "paused" else None,
            duration_ms=took,
            budget_usd=_usd(view.budget),
            cost_usd=to_usd(view.cost),
            estimate_usd=_usd(view.estimate),
            calls=view.calls,
            executions=view.executions,
            retries=view.retries,
            layers_done=view.layers_done,
            layers_total=view.layers_total,
            layers=tuple(map(LayerItem.of, view.layers)),
            artefacts=tuple(map(ArtefactItem.of, view.artefacts)),
            input=view.input if whole else None,
            output=view.output if whole else None,
        )


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of runs, newest first; *next* is the cursor of the next page, null on the last one."""

    items: tuple[RunItem, ...]
    next: str | None

    @classmethod
    def of(cls, page: RunPage) -> RunList:
        """Return *page* in the words of the surface."""
        return cls(items=tuple(RunItem.of(view, whole=False) for view in page.items), next=page.next)


class LogItem(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a run's log; *number* counts from 1 without gaps."""

    number: int
    at: dt.datetime
    kind: str
    layer: str | None
    text: str

    @classmethod
    def of(cls, line: LogLine) -> LogItem:
        """Return *line* in the words of the surface."""
        return cls(number=line.number, at=from_micros(line.at), kind=line.kind, layer=line.layer, text=line.text)


class LogList(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a log in order; ask with *next* as ``after`` for those to come, until *ended*."""

    items: tuple[LogItem, ...]
    next: int
    ended: bool

    @classmethod
    def of(cls, page: LogPage) -> LogList:
        """Return *page* in the words of the surface."""
        return cls(items=tuple(map(LogItem.of, page.items)), next=page.next, ended=page.ended)


class EstimateItem(msgspec.Struct, frozen=True, kw_only=True):
    """What runs of a pipeline that ended well used to take: the median, over the last *runs*; null where none did."""

    runs: int
    cost_usd: Decimal | None
    highest_cost_usd: Decimal | None
    duration_ms: int | None

    @classmethod
    def of(cls, found: Estimate) -> EstimateItem:
        """Return *found* in the words of the surface."""
        took = None if found.duration_us is None else found.duration_us // _MS
        return cls(
            runs=found.runs, cost_usd=_usd(found.cost), highest_cost_usd=_usd(found.highest_cost), duration_ms=took
        )


class PipelineItem(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline that can be started; *layers* are those it declares, *input_schema* is JSON Schema."""

    name: str
    description: str
    max_concurrency: int | None
    timeout_ms: int | None
    layers: tuple[str, ...]
    input_schema: dict[str, Any]
    estimate: EstimateItem

    @classmethod
    def of(cls, view: PipelineView, estimate: Estimate) -> PipelineItem:
        """Return *view* in the words of the surface."""
        return cls(
            name=view.name,
            description=view.description,
            max_concurrency=view.max_concurrency,
            timeout_ms=None if view.timeout_us is None else view.timeout_us // _MS,
            layers=view.layers,
            input_schema=view.input_schema,
            estimate=EstimateItem.of(estimate),
        )


class PipelineList(msgspec.Struct, frozen=True, kw_only=True):
    """The pipelines that this server runs."""

    items: tuple[PipelineItem, ...]


class CapacityItem(msgspec.Struct, frozen=True, kw_only=True):
    """How busy the runner is; *oldest_wait_ms*: of the queued run that waits longest, null when none waits."""

    active_runs: int = 0
    max_concurrency: int = 3
    capacity_percent: float = 0
    queued: int = 0
    paused: int = 0
    oldest_wait_ms: int | None = None
    workers: int = 0

    def numbers(self) -> dict[str, float]:
        """Return what monitoring counts, by name: runs and workers, the oldest wait in seconds."""
        return {
            "active_runs": self.active_runs,
            "max_concurrency": self.max_concurrency,
            "queued_runs": self.queued,
            "paused_runs": self.paused,
            "oldest_wait_seconds": (self.oldest_wait_ms or 0) / _MS,
            "workers": self.workers,
        }

    @classmethod
    def of(cls, found: Capacity) -> CapacityItem:
        """Return *found* in the words of the surface."""
        return cls(
            active_runs=found.active_runs,
            max_concurrency=found.max_concurrency,
            capacity_percent=round(found.capacity_percent, 1),
            queued=found.queued,
            paused=found.paused,
            oldest_wait_ms=None if found.oldest_wait_us is None else found.oldest_wait_us // _MS,
            workers=found.workers,
        )


def _instant(at: int | None) -> dt.datetime | None:
    return None if at is None else from_micros(at)


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else to_usd(nano)
