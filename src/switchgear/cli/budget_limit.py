"""``switchgear budgets set``."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from switchgear.cli.base import Command
from switchgear.cli.errors import UnreachableError
from switchgear.cli.fetch import send
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import json_option, print_json, say
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.source import server_url
from switchgear.cli.words import tokens, usd
from switchgear.money import to_usd

if TYPE_CHECKING:
    from pathlib import Path

    from switchgear.cli.settings import Settings

__all__ = ["command"]


@click.command(
    "set", cls=Command, examples=("switchgear budgets set openai-month --limit 80 --note 'campaign until Friday'",)
)
@click.argument("name")
@click.option("--limit", required=True, metavar="AMOUNT", help="The new limit: USD, or tokens of a budget of tokens.")
@click.option("--note", required=True, help="Why; it goes into the audit trail.")
@config_option
@url_option
@json_option
def command(
    name: str,
    limit: str,
    note: str,
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Give a budget another limit, at once, for every value of its `each`.

    It outlives a restart, until the limit in the configuration changes. A running server is asked to
    do it; without one it is written into the ledger.
    """
    settings = read(config_path)
    known = {budget.name for budget in settings.config.budgets}
    if name not in known and not name.startswith("key:") and not url:
        refuse_unknown("budget", name, known)
    body = {"limit": limit, "note": note, "by": f"cli:{getpass.getuser()}"}
    try:
        change = send(server_url(settings, url), f"/api/budgets/{quote(name, safe='')}/limit", body, method="PUT")
    except UnreachableError as error:
        if url or os.environ.get("SWITCHGEAR_URL"):
            raise
        say(f"{error}; the change goes into the ledger, for the next start.")
        change = _recorded(settings, name, body)
    if as_json:
        print_json(change)
        return
    old, new = (_amount(change, change[each]) for each in ("old", "new"))
    say(f"{name}: {old} -> {new}, from now on.")
    say(f"Undo: switchgear budgets set {name} --limit {_plain(change, change['old'])} --note undo")


def _recorded(settings: Settings, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Make the change with a governor of our own, which takes the ledger for that long."""
    from switchgear.clients.governor import Governor
    from switchgear.errors import ConfigError
    from switchgear.insight.metrics import plain

    with Governor(settings.config) as governor:
        views = governor.state.budgets(governor.clock.moment())
        units = {view.budget: view.unit for view in views}
        configured = (each for each in settings.config.budgets if each.limit_tokens is not None)
        is_tokens = units.get(name) == "tokens" or name in {each.name for each in configured}
        try:
            if not is_tokens:
                change = governor.set_budget(name, limit_usd=body["limit"], by=body["by"], note=body["note"])
            else:
                change = governor.set_budget(name, limit_tokens=int(body["limit"]), by=body["by"], note=body["note"])
        except ValueError as error:
            raise ConfigError(str(error)) from None
    found: dict[str, Any] = plain(change)
    return found


def _amount(change: dict[str, Any], value: int) -> str:
    return usd(_plain(change, value)) if change["unit"] == "usd" else f"{tokens(value)} tokens"


def _plain(change: dict[str, Any], value: int) -> str:
    return f"{to_usd(value):f}" if change["unit"] == "usd" else str(value)
