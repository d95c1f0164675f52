"""``switchgear db``: the schema of the ledger."""

from __future__ import annotations

from contextlib import ExitStack
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
    from switchgear.ledger.engine import translated
    from switchgear.ledger.home import home_of

    home = home_of(read(config_path).config.ledger.url)
    home.require()
    engine = home.open(read_only=True)
    try:
        with translated(engine):
            version = migrate.current(engine)
    finally:
        engine.dispose()
    if as_json:
        print_json({"current": version, "needed": migrate.head()})
    else:
        click.echo(f"{home.name}: schema {version or 'none'}; this program needs {migrate.head()}")


@command.command("upgrade", examples=("switchgear ledger backup before-upgrade.db && switchgear db upgrade",))
@config_option
@json_option
def upgrade(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Bring the ledger to the schema of this program.

    All of it in one transaction. No server may be running.
    """
    from switchgear.ledger import migrate
    from switchgear.ledger.engine import translated
    from switchgear.ledger.home import home_of

    ledger = read(config_path).config.ledger
    home = home_of(ledger.url)
    home.require()
    with ExitStack() as undo:
        if (lock := home.lock()) is not None:
            undo.callback(lock.release)
        engine = home.open(durability=ledger.durability)
        undo.callback(engine.dispose)
        with translated(engine), home.alone(engine):
            before = migrate.current(engine)
            migrate.upgrade(engine)
    if as_json:
        print_json({"before": before, "current": migrate.head()})
    elif before == migrate.head():
        say(f"The ledger has schema {before} already; nothing was changed.")
    else:
        say(f"The ledger had schema {before or 'none'} and has {migrate.head()} now.")
