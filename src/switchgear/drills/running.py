"""Runs scenarios one after the other; whatever happens in one, the next has its turn."""

from __future__ import annotations

import datetime as dt
import logging
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.drills.ground import Ground, NotRunError
from switchgear.drills.verdict import Report, Result
from switchgear.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from switchgear.clock import Clock
    from switchgear.drills.catalogue import Scenario
    from switchgear.drills.verdict import Check

__all__ = ["report_of", "result_of", "run"]

_log = logging.getLogger("switchgear.drills")


def run(scenario: Scenario, *, clock: Clock, quick: bool, say: Callable[[str], object]) -> Result:
    """Run *scenario* in a folder of its own, which goes afterwards, and return what it came to.

    Args:
        scenario: what to run.
        clock: time.
        quick: with fewer calls and shorter waits.
        say: is told what it does now.
    """

    def drill() -> Iterator[Check]:
        with (
            tempfile.TemporaryDirectory(prefix="switchgear-drill-") as folder,
            Ground(folder=Path(folder), clock=clock, quick=quick, say=say) as ground,
        ):
            yield from scenario.run(ground)

    return result_of(scenario, drill(), clock=clock)


def result_of(scenario: Scenario, measured: Iterable[Check], *, clock: Clock) -> Result:
    """Return what *scenario* comes to by the checks that are *measured*, or by what breaks them off."""
    began = clock.monotonic()
    checks: list[Check] = []
    reason: str | None = None
    try:
        checks.extend(measured)
    except NotRunError as lack:
        return Result(scenario=scenario.name, title=scenario.title, status="not_run", reason=str(lack))
    except Exception as error:  # noqa: BLE001 - the boundary: a scenario that breaks has failed, and the next has its turn
        _log.debug("drill %s broke", scenario.name, exc_info=True)
        reason = f"{type(error).__name__}: {error}"
    passed = reason is None and bool(checks) and all(check.passed for check in checks)
    return Result(
        scenario=scenario.name,
        title=scenario.title,
        status="passed" if passed else "failed",
        checks=tuple(checks),
        reason=reason,
        seconds=round(clock.monotonic() - began, 3),
    )


def report_of(results: Iterable[Result], *, at: float, quick: bool, against: str | None = None) -> Report:
    """Return the report of *results*, of drills that began at the epoch second *at*."""
    return Report(
        at=dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        version=__version__,
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count() or 1} cores",
        quick=quick,
        against=against,
        results=tuple(results),
    )
