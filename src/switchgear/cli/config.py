"""``switchgear config``: what is in force and where it is from, and having a running server read it again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from switchgear.cli.base import Group
from switchgear.cli.output import Cell, json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, located, read, url_option

if TYPE_CHECKING:
    from pathlib import Path

    from switchgear.cli.output import Tone

__all__ = ["command"]


@click.group(
    cls=Group, name="config", examples=("switchgear config show", "switchgear config check && switchgear config reload")
)
def command() -> None:
    """Show and check the configuration, and have a running server read it again."""


@command.command("show", examples=("switchgear config show", "switchgear config show --all --json"))
@config_option
@click.option("--all", "everything", is_flag=True, help="Show what nobody has set too.")
@json_option
def show(config_path: Path | None, everything: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Show each value that the file, the environment or a built-in service sets, and where.

    Passwords in addresses are masked. Of a running server: GET /api/config.
    """
    from switchgear.config.effective import effective
    from switchgear.config.load import load_sourced
    from switchgear.insight.metrics import plain

    found = effective(load_sourced(located(config_path), environ=os.environ))
    if as_json:
        print_json({"items": [plain(one) for one in found], "next": None})
        return
    rows = [one for one in found if everything or one.source != "default"]
    print_table(
        ("KEY", "VALUE", "FROM"),
        [(one.key, text_of(one.value), Cell(one.where or one.source, _tone(one.source))) for one in rows],
    )
    if not everything:
        say(f"{len(found) - len(rows)} more keys have their default: --all shows them.")


@command.command("check", examples=("switchgear config check --config new.toml",))
@config_option
def check(config_path: Path | None) -> None:
    """Say what is wrong with the configuration, line by line (exit code 2), or that nothing is."""
    settings = read(config_path)
    services, budgets = len(settings.config.services), len(settings.config.budgets)
    click.echo(f"{settings.path or 'the built-in configuration'} is valid: {services} services, {budgets} budgets")


@command.command(
    "reload", examples=("switchgear config reload", "switchgear config reload --url http://127.0.0.1:8401")
)
@config_option
@url_option
@json_option
def reload(config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Have the running server read its configuration again, and show what has changed.

    It is checked first: if something is wrong, each problem is told (exit code 2) and nothing changes.
    Calls in flight are not touched. SIGHUP to the server does the same.
    """
    from switchgear.cli.fetch import send
    from switchgear.cli.source import server_url

    # The file may be wrong, which the server will tell; then only its address is not known from it.
    named = url or os.environ.get("SWITCHGEAR_URL")
    found = send(named or server_url(read(config_path), None), "/api/config/reload", {})
    if as_json:
        print_json(found)
        return
    changes: list[dict[str, Any]] = found["changes"]
    if not changes:
        click.echo("Nothing has changed.")
        return
    print_table(("KEY", "OLD", "NEW"), [(one["key"], text_of(one["old"]), text_of(one["new"])) for one in changes])


def _tone(source: str) -> Tone | None:
    return "idle" if source in {"default", "built in"} else None
