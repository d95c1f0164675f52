"""The shape of ``[telemetry]``: what is logged, and what leaves for other people's tools."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from switchgear.config.problems import Problem, shown
from switchgear.config.units import Duration, Usd

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TelemetryConfig", "telemetry_problems"]

_Share = Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)]


class TelemetryConfig(BaseModel):
    """What is logged and exported. *traces* and *metrics* ``auto``: if the environment says where to.

    *sample*: the share of traces that is exported; those with an error, a refusal or *sample_above_usd* or
    more always are. *content*: prompts and answers go along, *content_bytes* of each at most. *redact*: what is
    taken out of every text that leaves, besides what looks like a secret.
    *queue*: spans that wait for one destination, at most. *idle*: a run without a call for so long is over.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    logs: Literal["auto", "json", "console", "off"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    traces: Literal["auto", "on", "off"] = "auto"
    metrics: Literal["auto", "on", "off"] = "auto"
    sample: _Share = 1.0
    sample_above_usd: Usd = Field(default="0.10")  # type: ignore[assignment]  # validated into nano-USD
    content: StrictBool = False
    content_bytes: Annotated[StrictInt, Field(gt=0, le=1_000_000)] = 8192
    redact: tuple[StrictStr, ...] = ()
    queue: Annotated[StrictInt, Field(gt=0)] = 10_000
    idle: Duration = Field(default="1m")  # type: ignore[assignment]  # validated into microseconds


def telemetry_problems(telemetry: TelemetryConfig) -> Iterator[Problem]:
    """Yield what is wrong with *telemetry* although every type is right."""
    for at, pattern in enumerate(telemetry.redact):
        try:
            re.compile(pattern)
        except re.error as error:
            yield Problem(("telemetry", "redact", at), f"{shown(pattern)} is no regular expression: {error}")
    if telemetry.idle == 0:
        yield Problem(("telemetry", "idle"), "must be longer than 0s")
