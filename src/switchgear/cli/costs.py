"""``switchgear costs``."""

from __future__ import annotations

import click

from switchgear.cli.base import LazyGroup

__all__ = ["command"]


@click.group(
    cls=LazyGroup,
    name="costs",
    lazy={
        "report": ("switchgear.cli.cost_report", "Report what a month, a day or any time cost."),
        "reconcile": ("switchgear.cli.reconcile", "Compare a provider's file with the ledger."),
    },
    examples=(
        "switchgear costs report --month 2026-11",
        "switchgear costs report --month 2026-11 --format html --out november.html",
        "switchgear costs reconcile --provider openai --file export.csv",
    ),
)
def command() -> None:
    """Report costs, and compare them with a provider's."""
