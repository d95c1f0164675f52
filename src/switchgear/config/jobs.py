"""The shape of ``[jobs]``: what `switchgear apply` uses where its options say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from switchgear.config.problems import Problem, shown
from switchgear.config.units import Usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.config.model import ServiceConfig

__all__ = ["JobsConfig", "job_problems"]

Name = Annotated[StrictStr, Field(min_length=1)]


class JobsConfig(BaseModel):
    """Job applications. *service* and *model*: who writes; None: the model on this machine.

    *models*: other models for single profiles. *budget_usd*: what one application may cost; None: as its profile has
    it. *on_refused*: what becomes of a run when the gate refuses a model's call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    service: Name | None = None
    model: Name | None = None
    models: dict[Literal["fast", "balanced", "quality", "by_fit"], Name] = {}
    profile: Literal["fast", "balanced", "quality", "by_fit"] = "balanced"
    page: Literal["a4", "letter"] = "a4"
    budget_usd: Usd | None = None
    on_refused: Literal["fail", "pause", "skip"] = "pause"


def job_problems(config: JobsConfig, services: Mapping[str, ServiceConfig]) -> Iterator[Problem]:
    """Yield everything in *config* that has the right type and is wrong all the same."""
    if config.service is None:
        if config.model is not None or config.models:
            yield Problem(("jobs", "service"), "is missing: the service that has this model")
    elif config.service not in services:
        yield Problem(("jobs", "service"), f"there is no service {shown(config.service)}")
    elif services[config.service].kind == "http":
        yield Problem(("jobs", "service"), f"{shown(config.service)} is of kind http, and no model answers there")
    elif config.model is None:
        yield Problem(("jobs", "model"), "is missing: the model that writes")
