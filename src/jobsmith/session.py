"""One application as a durable run that is watched: started, or gone on with where it was interrupted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from jobsmith.nouns import Prepared
from jobsmith.pipeline import NAME, application_pipeline
from switchgear.runner import RunConflict, Runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal
    from pathlib import Path

    from jobsmith.nouns import Order
    from jobsmith.pipeline import Records
    from switchgear import Governor
    from switchgear.runner import OnRefused, RunView

__all__ = ["Finished", "apply", "run_name"]

_LOOK: Final = 0.2
_STOPPED: Final = frozenset({"ok", "failed", "cancelled", "paused"})


class Finished(NamedTuple):
    """How a run ended: *prepared* is None unless it ended well."""

    view: RunView
    prepared: Prepared | None
    files: tuple[Path, ...]


def run_name(order: Order) -> str:
    """Return the name of the run of *order*: the same order is the same run, and is not paid twice."""
    same = order.model_copy(update={"date": ""}).model_dump_json()
    return f"apply-{hashlib.sha256(same.encode()).hexdigest()[:16]}"


def apply(
    governor: Governor,
    order: Order,
    *,
    folder: Path,
    job: str,
    budget_usd: Decimal | str | None,
    on_refused: OnRefused = "pause",
    records: Records | None = None,
    watch: Callable[[RunView], object] = lambda _: None,
) -> Finished:
    """Run *order* to its end or its pause, and put its files into *folder*.

    Args:
        governor: the gate.
        order: what is asked for.
        folder: where files go, and ``runs.db``, which knows what is finished.
        job: the attribution of every call.
        budget_usd: what the run may cost.
        on_refused: see *application_pipeline*.
        records: where the application is recorded.
        watch: is shown the run now and then, and at its end.

    Raises:
        RunnerError: the run can't be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = application_pipeline(governor, records=records, on_refused=on_refused)
    name = run_name(order)
    with Runner(governor, url=f"sqlite:///{folder / 'runs.db'}", pipelines=[pipeline], heartbeat="100ms") as runner:
        try:
            runner.submit(NAME, order, job=job, budget_usd=budget_usd, run=name)
        except RunConflict:
            _go_on(runner, name)
        while True:
            view = runner.wait(name, timeout=_LOOK)
            watch(view)
            if view.status in _STOPPED:
                break
        files = tuple(_kept(runner, name, one.name, folder) for one in view.artefacts)
    prepared = Prepared.model_validate(view.output) if view.status == "ok" else None
    return Finished(view, prepared, files)


def _go_on(runner: Runner, name: str) -> None:
    """Let a run that was there before go on: finished layers are kept and not repaid."""
    view = runner.show(name)
    if view.status == "paused":
        runner.resume(name)
    elif view.status in {"failed", "cancelled"}:
        ended = next((one.layer for one in view.layers if one.status in {"failed", "cancelled"}), None)
        runner.retry(name, layer=ended)


def _kept(runner: Runner, run: str, name: str, folder: Path) -> Path:
    _, path = runner.artefact(run, name)
    target = folder / name
    target.write_bytes(path.read_bytes())
    return target
