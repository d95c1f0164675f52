"""The pipeline for a server: ``[runner] pipelines = ["jobsmith.serving:apply"]``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobsmith.pipeline import application_pipeline
from jobsmith.recording import Recording

if TYPE_CHECKING:
    from switchgear import Governor
    from switchgear.runner import Pipeline

__all__ = ["apply"]


def apply(governor: Governor) -> Pipeline[..., Any]:
    """Return the pipeline over a server's *governor*, as ``[jobs]`` wants it; its applications are recorded."""
    return application_pipeline(governor, records=Recording(governor), on_refused=governor.config.jobs.on_refused)
