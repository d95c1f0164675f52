"""The last act of the demo: the job-application pipeline on three sample postings, through the demo's gateway."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from switchgear.cli.output import print_table, say
from switchgear.cli.words import usd
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobsmith.session import Finished
    from switchgear.clients.governor import Governor
    from switchgear.drills.demo.stage import Stage

__all__ = ["prepare", "print_applications"]

_PACKAGES: Final = ("typst", "dbos")
_BUDGET: Final = "0.05"


def prepare(stage: Stage) -> list[dict[str, Any]]:
    """Prepare three applications and return what came of each; [] where the extra is missing.

    They run in this process, with a ledger and a budget of their own; their calls of the model go to the demo's
    server, which is told job, run and layer, and their records are those of its Applications page.
    """
    if any(find_spec(package) is None for package in _PACKAGES):
        say('No applications: pip install "switchgear[jobs]" would prepare three.')
        return []
    from jobsmith.opening import letter_date, with_services
    from jobsmith.samples import NAMES
    from switchgear.clients.governor import Governor
    from switchgear.config import load_text

    (stage.folder / "applications").mkdir()
    config = with_services(load_text(_settings(stage)))
    with Governor(config) as governor:
        date = letter_date(governor)
        return [_prepared(governor, stage, name, date) for name in NAMES]


def print_applications(found: Sequence[dict[str, Any]]) -> None:
    """Print a line for each application."""
    rows = [
        (one["posting"], one["status"], str(one["fit"]), str(one["lines"]), str(one["refused"]), usd(one["cost_usd"]))
        for one in found
    ]
    print_table(("APPLICATION", "STATUS", "FIT", "LINES, ALL FROM THE CV", "REFUSED", "COST"), rows)


def _settings(stage: Stage) -> str:
    """Return a configuration whose model is the demo's server, and whose records are its own."""
    return f"""
[ledger]
url = {json.dumps(f"sqlite:///{stage.folder / 'applications' / 'ledger.db'}")}
[applications]
url = {json.dumps(f"sqlite:///{stage.folder / 'applications.db'}")}
[services.local]
kind = "openai"
provider = "local"
base_url = {json.dumps(f"{stage.url}/local")}
gateway = true
limits = {{ concurrent = 2 }}
prices = {{ {json.dumps(stage.model)} = {{ input = "2.00", output = "8.00", cache_read = "0.50" }} }}
"""


def _prepared(governor: Governor, stage: Stage, name: str, date: str) -> dict[str, Any]:
    from jobsmith.nouns import Order
    from jobsmith.recording import Recording
    from jobsmith.samples import sample_cv, sample_posting
    from jobsmith.session import apply

    order = Order(
        posting=sample_posting(name),
        cv=sample_cv(),
        service="local",
        model=stage.model,
        profile="fast",
        date=date,
    )
    folder = stage.folder / "applications" / name
    done = apply(
        governor,
        order,
        folder=folder,
        job=f"apply-{name}",
        budget_usd=_BUDGET,
        on_refused="skip",
        records=Recording(governor, folder=folder),
    )
    told = _told(name, done)
    say(f"application {name}: {told['status']}, fit {told['fit']} of 100, {usd(told['cost_usd'])} of {usd(_BUDGET)}")
    return told


def _told(name: str, done: Finished) -> dict[str, Any]:
    prepared = done.prepared
    return {
        "posting": name,
        "status": done.view.status,
        "fit": None if prepared is None else prepared.fit.score,
        "lines": 0 if prepared is None else len(prepared.draft.report),
        "refused": 0 if prepared is None else len(prepared.draft.refused),
        "cost_usd": str(to_usd(done.view.cost)),
        "files": {one.stem: str(one) for one in done.files},
        "error": done.view.error or done.view.reason,
    }
