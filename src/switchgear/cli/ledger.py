"""``switchgear ledger``: the table of its verbs."""

from __future__ import annotations

import click

from switchgear.cli.base import Group
from switchgear.cli.ledger_care import erase, prune, verify
from switchgear.cli.ledger_events import events
from switchgear.cli.ledger_files import backup, export, import_, restore

__all__ = ["command"]


@click.group(
    cls=Group,
    name="ledger",
    examples=(
        "switchgear ledger verify",
        "switchgear ledger export --format csv --from 2026-11 --out november.csv",
        "switchgear ledger backup /mnt/backup/ledger-2026-11-24.db",
    ),
)
def command() -> None:
    """Check, export, back up and prune the ledger."""


for verb in (verify, events, export, import_, prune, backup, restore, erase):
    command.add_command(verb)
