"""The shape of ``[runner]``: which pipelines this server runs, how many at once, where they are kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from switchgear.config.problems import Problem, shown
from switchgear.config.units import Duration

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RunnerConfig", "runner_problems"]

_PLACE: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", re.ASCII)
_URL: Final = re.compile(r"sqlite:///.+|postgresql(\+psycopg)?://.+")


class RunnerConfig(BaseModel):
    """Durable pipelines. *pipelines*: each as ``module:function``; none: this server runs nothing.

    *url*: a database of its own. *files*: the folder of artefacts; None: beside the database. *heartbeat* and
    *dead_after*: how a worker of another machine that died is told from one that lives. *drain*: how long layers
    under way may go on when the server ends.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    pipelines: tuple[StrictStr, ...] = ()
    url: StrictStr = "sqlite:///runs.db"
    files: Annotated[StrictStr, Field(min_length=1)] | None = None
    max_concurrency: Annotated[StrictInt, Field(gt=0)] = 3
    heartbeat: Duration = Field(default="1s")  # type: ignore[assignment]  # validated into microseconds
    dead_after: Duration = Field(default="15s")  # type: ignore[assignment]  # validated into microseconds
    drain: Duration = Field(default="20s")  # type: ignore[assignment]  # validated into microseconds


def runner_problems(config: RunnerConfig) -> Iterator[Problem]:
    """Yield everything in *config* that has the right type and is wrong all the same."""
    for at, place in enumerate(config.pipelines):
        if not _PLACE.fullmatch(place):
            yield Problem(("runner", "pipelines", at), f'a pipeline is named "module:function", not {shown(place)}')
    if not _URL.fullmatch(config.url):
        yield Problem(("runner", "url"), "must be sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME")
    if config.heartbeat <= 0:
        yield Problem(("runner", "heartbeat"), "must be longer than 0s")
    elif config.dead_after < 3 * config.heartbeat:
        yield Problem(("runner", "dead_after"), "must be at least three heartbeats")
