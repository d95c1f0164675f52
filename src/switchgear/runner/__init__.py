"""Durable pipelines: runs that survive ``kill -9``, a budget and a dead provider (DBOS underneath).

::

    from switchgear.runner import Runner, layer, pipeline

    @layer(retries=2, timeout="120s", budget_usd="0.05", on_refused="pause")
    async def read_posting(order: Order) -> Posting: ...

    @pipeline(max_concurrency=3, timeout="30m")
    async def apply(order: Order) -> Result:
        posting = await read_posting(order)
        ...

    with Governor.from_config("switchgear.toml") as gov, Runner(gov, pipelines=[apply]) as runner:
        run = runner.submit("apply", order, job="acme-42", budget_usd="0.50")

Called outside a runner, layers and pipelines are the functions themselves. See docs/runner.md.
"""

from __future__ import annotations

from switchgear.runner.current import LayerContext, artefact, governor, log, progress, running_layer
from switchgear.runner.faults import LayerFailed, NoSuchRun, RunConflict, RunnerDown, RunnerError
from switchgear.runner.layers import Layer, OnRefused, SkippedLayer, layer
from switchgear.runner.pipelines import Pipeline, pipeline, pipeline_at
from switchgear.runner.runner import Runner
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
    Schedule,
)

__all__ = [
    "Artefact",
    "Capacity",
    "Estimate",
    "Layer",
    "LayerContext",
    "LayerFailed",
    "LayerStatus",
    "LayerView",
    "LogLine",
    "LogPage",
    "NoSuchRun",
    "OnRefused",
    "Pipeline",
    "PipelineView",
    "RunConflict",
    "RunPage",
    "RunStatus",
    "RunView",
    "Runner",
    "RunnerDown",
    "RunnerError",
    "Schedule",
    "SkippedLayer",
    "artefact",
    "governor",
    "layer",
    "log",
    "pipeline",
    "pipeline_at",
    "progress",
    "running_layer",
]
