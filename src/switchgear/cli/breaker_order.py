"""``switchgear services breaker``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from switchgear.cli.base import Command
from switchgear.cli.consent import operator, require_consent, yes_option
from switchgear.cli.errors import UnreachableError
from switchgear.cli.fetch import send
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import json_option, print_json, say
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.source import server_url

if TYPE_CHECKING:
    from pathlib import Path

    from switchgear.cli.settings import Settings

__all__ = ["command"]

_ORDERS: Final = ("open", "close", "reset")


@click.command(
    "breaker", cls=Command, examples=("switchgear services breaker openai open --note 'their outage, see #ops'",)
)
@click.argument("service")
@click.argument("order", type=click.Choice(_ORDERS))
@click.option("--note", required=True, help="Why; it goes into the audit trail, and refused callers read it.")
@yes_option
@config_option
@url_option
@json_option
def command(
    service: str,
    order: str,
    note: str,
    yes: bool,  # noqa: FBT001 - click passes it by name
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Force a service's breaker open, close it, or reset it, at once.

    open refuses every call, over a restart too, until it is closed or reset; close lets calls go, with
    nothing held against the service; reset forgets what is counted too. A running server is asked to
    do it; without one it is written into the ledger.
    """
    settings = read(config_path)
    known = settings.config.services
    if service not in known and not url:
        refuse_unknown("service", service, known)
    if order == "open":
        require_consent(f"Every call to {service} will be refused. Go on?", given=yes)
    body = {"order": order, "note": note, "by": f"cli:{operator()}"}
    try:
        done = send(server_url(settings, url), f"/api/breakers/{quote(service, safe='')}", body, method="PUT")
    except UnreachableError as error:
        if url or os.environ.get("SWITCHGEAR_URL"):
            raise
        say(f"{error}; the order goes into the ledger, for the next start.")
        done = _recorded(settings, service, body)
    if as_json:
        print_json(done)
        return
    say(f"{service}: {_words(done['old'])} -> {_words(done['new'])}, from now on.")
    if order == "open":
        say(f"Undo: switchgear services breaker {service} close --note undo")


def _recorded(settings: Settings, service: str, body: dict[str, Any]) -> dict[str, Any]:
    """Give the order to a governor of our own, which takes the ledger for that long."""
    from switchgear.clients.governor import Governor
    from switchgear.errors import ConfigError
    from switchgear.insight.metrics import plain

    with Governor(settings.config) as governor:
        try:
            done = governor.set_breaker(service, body["order"], by=body["by"], note=body["note"])
        except ValueError as error:
            raise ConfigError(str(error)) from None
    found: dict[str, Any] = plain(done)
    return found


def _words(state: str) -> str:
    return state.replace("_", " ")
