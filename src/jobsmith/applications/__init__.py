"""Application records: what was drafted, what was sent and when, what came of it; and how many were sent when.

The front door is ``Applications``::

    from jobsmith.applications import Applications

    with Applications.from_config(config, clock=clock) as applications:
        applications.record(job="acme-42", run="01J...", role="Engineer", company="Acme", status="ready",
                            files={"cv": "out/cv.pdf"}, cost_usd=Decimal("0.031"))
        applications.set_status("acme-42", "applied", at="2026-11-24", by="ann")
"""

from __future__ import annotations

from jobsmith.applications.applications import Applications
from jobsmith.applications.listing import Wanted
from jobsmith.applications.record import (
    STATUSES,
    Application,
    ApplicationsError,
    BadApplication,
    Entry,
    File,
    NoSuchApplication,
    Run,
    Status,
)
from jobsmith.applications.stats import ApplicationStats, Goal

__all__ = [
    "STATUSES",
    "Application",
    "ApplicationStats",
    "Applications",
    "ApplicationsError",
    "BadApplication",
    "Entry",
    "File",
    "Goal",
    "NoSuchApplication",
    "Run",
    "Status",
    "Wanted",
]
