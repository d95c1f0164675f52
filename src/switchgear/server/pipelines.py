"""From ``[runner]`` to a runner: its pipelines imported, its database opened."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.durations import format_duration
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.alerts.desk import AlertDesk
    from switchgear.clients.governor import Governor
    from switchgear.config.running import RunnerConfig
    from switchgear.runner import Runner

__all__ = ["runner_of", "started"]


def runner_of(config: RunnerConfig, governor: Governor, *, work: bool = True) -> Runner | None:
    """Return the runner that *config* asks for, not started yet; None: it names no pipeline.

    Modules are looked for in the working directory too.

    Raises:
        ConfigError: a pipeline can't be imported, the extra is missing, or the database can't be opened.
    """
    if not config.pipelines:
        return None
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    from switchgear.runner import Runner, RunnerError, pipeline_at

    try:
        return Runner(
            governor,
            url=config.url,
            pipelines=[pipeline_at(place, governor) for place in config.pipelines],
            max_concurrency=config.max_concurrency,
            files=config.files,
            work=work,
            heartbeat=format_duration(config.heartbeat),
            dead_after=format_duration(config.dead_after),
            drain=format_duration(config.drain),
        )
    except RunnerError as error:
        msg = f"runner: {error}"
        raise ConfigError(msg) from error


def started(runner: Runner | None, alerts: AlertDesk | None) -> Callable[[], None]:
    """Let *runner* begin to execute runs, and *alerts* look at them; return what ends that.

    Layers under way get their time to end.

    Raises:
        ConfigError: DBOS is missing or can't be opened.
    """
    if runner is None:
        return _nothing
    from switchgear.runner import RunnerError

    try:
        runner.start()
    except RunnerError as error:
        runner.close()
        msg = f"runner: {error}"
        raise ConfigError(msg) from error
    if alerts is not None:
        alerts.look_at_runs(runner.troubles)
    return runner.close


def _nothing() -> None:
    """Nobody runs."""
