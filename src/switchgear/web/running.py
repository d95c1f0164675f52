"""What people do with runs, from pages and API: what is wrong with it is a problem with its status."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from switchgear.runner import NoSuchRun, RunConflict, Runner, RunnerDown, RunnerError
from switchgear.runner.items import CapacityItem
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem

__all__ = ["capacity_of", "command", "runner_in", "told"]

_NONE = (
    "No pipelines are run here: name them in the configuration, such as "
    '[runner] pipelines = ["my_package.pipelines:apply"].'
)


def runner_in(deps: WebDeps) -> Runner:
    """Return the runner of this process.

    Raises:
        Problem: 404; it has none.
    """
    if deps.runner is None:
        raise Problem(404, _NONE)
    return deps.runner


def capacity_of(deps: WebDeps) -> CapacityItem:
    """Return how busy the runner is; idle where there is none, or where it can't be asked."""
    if deps.runner is None:
        return CapacityItem(max_concurrency=deps.config.runner.max_concurrency)
    with contextlib.suppress(RunnerError):
        return CapacityItem.of(deps.runner.capacity())
    return CapacityItem(max_concurrency=deps.config.runner.max_concurrency)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn what the runner says into problems: 404 no such run, 409 not now, 503 its database fails, else 400."""
    try:
        yield
    except NoSuchRun as error:
        raise Problem(404, f"{error}.".capitalize()) from None
    except RunnerDown as error:
        raise Problem(503, f"{error}.".capitalize()) from None
    except RunConflict as error:
        raise Problem(409, f"{error}.") from None
    except RunnerError as error:
        raise Problem(400, f"{error}.") from None


def command(deps: WebDeps, run: str, verb: str, *, layer: str | None, by: str) -> None:
    """Do *verb* (``cancel``, ``pause``, ``resume``, ``retry``) with *run*.

    Raises:
        Problem: 404, 409, 503: see *told*; 404 too where there is no runner.
    """
    runner = runner_in(deps)
    with told():
        if verb == "retry":
            runner.retry(run, layer=layer or None, by=by)
        elif verb == "resume":
            runner.resume(run, by=by)
        elif verb == "pause":
            runner.pause(run, by=by)
        else:
            runner.cancel(run, by=by)
