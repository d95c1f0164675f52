"""Application records behind an app: what the tests of several files look at."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from jobsmith.applications import Applications
from switchgear.config import load_text
from switchgear.server.applications import PluggedApplications

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Place

__all__ = ["Jobs"]

GOALS = "goals = { day = 2, week = 10 }\n"


class Jobs:
    """Records behind the app of *place*, and how a test writes some."""

    def __init__(self, place: Place, folder: Path) -> None:
        config = load_text(
            '[server]\nreporting_timezone = "Europe/Vienna"\n'
            f'[applications]\nurl = "sqlite:///{folder}/applications.db"\n{GOALS}'
        )
        self.records = Applications.from_config(config, clock=place.clock, environ={})
        place.deps.applications = PluggedApplications(self.records)

    def fill(self) -> None:
        """Write four applications."""
        self.records.record(
            job="acme-42",
            run="run-1",
            status="ready",
            role="Engineer <b>",
            company="Acme",
            place="Vienna",
            url="https://acme.example/jobs/42",
            fit=82,
            cost_usd=Decimal("0.0123"),
            files={"cv": "out/cv.pdf"},
        )
        self.records.set_status("acme-42", "applied", at="2026-11-24", by="ann", note="by mail")
        self.records.record(job="ink-7", run="run-2", role="Writer", company="Ink", cost_usd=None)
        self.records.record(job="soup-1", role="Cook", company="Soup")
        self.records.set_status("soup-1", "rejected", at="2026-11-03", by="ann")
        self.records.record(job="circus", role="Clown", company="Circus")
