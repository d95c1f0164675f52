"""``switchgear db``: the schema of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from switchgear.cli.base import Group
from switchgear.cli.output import json_option, print_json, say
from switchgear.cli.settings import config_option, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["command"]


@click.group(cls=Group, name="db", examples=("switchgear db current", "switchgear db upgrade"))
def command() -> None:
    """Show and upgrade the schema of the ledger."""


@command.command("current", examples=("switchgear db current --json",))
@config_option
@json_option
def show_current(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show which schema the ledger has, and which one this program needs."""
    from switchgear.ledger import migrate
    from switchgear.ledger.access import file_of
    from switchgear.ledger.engine import open_engine, translated

    url = read(config_path).config.ledger.url
    path = file_of(url)
    engine = open_engine(url, read_only=True)
    try:
        with translated(engine):
            version = migrate.current(engine)
    finally:
        engine.dispose()
    if as_json:
        print_json({"current": version, "needed": migrate.head()})
    else:
        click.echo(f"{path}: schema {version or 'none'}; this program needs {migrate.head()}")


@command.command("upgrade", examples=("switchgear ledger backup before-upgrade.db && switchgear db upgrade",))
@config_option
@json_option
def upgrade(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Bring the ledger to the schema of this program.

    All of it in one transaction. No server may be running.
    """
    from switchgear.ledger import migrate
    from switchgear.ledger.access import file_of
    from switchgear.ledger.engine import open_engine, translated
    from switchgear.ledger.lock import LedgerLock

    ledger = read(config_path).config.ledger
    lock = LedgerLock(file_of(ledger.url))
    try:
        engine = open_engine(ledger.url, durability=ledger.durability)
        try:
            with translated(engine):
                before = migrate.current(engine)
                migrate.upgrade(engine)
        finally:
            engine.dispose()
    finally:
        lock.release()
    if as_json:
        print_json({"before": before, "current": migrate.head()})
    elif before == migrate.head():
        say(f"The ledger has schema {before} already; nothing was changed.")
    else:
        say(f"The ledger had schema {before or 'none'} and has {migrate.head()} now.")
