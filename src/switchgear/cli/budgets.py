"""``switchgear budgets``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli import budget_forecast, budget_limit, source
from switchgear.cli.base import Group
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.words import instant, span, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchgear.cli.output import Tone

__all__ = ["HEADER", "command", "table_row"]

HEADER: Final = ("BUDGET", "FOR", "KIND", "SPENT", "RESERVED", "LEFT", "LIMIT", "USED", "RESETS")

_TONES: Final[dict[str, Tone]] = {"ok": "ok", "warning": "warn", "critical": "warn", "exceeded": "crit"}


@click.group(
    cls=Group, name="budgets", examples=("switchgear budgets list", "switchgear budgets show openai-month --json")
)
def command() -> None:
    """Show what budgets hold and what is left, and change their limits."""


@command.command("list", examples=("switchgear budgets list",))
@config_option
@url_option
@json_option
def list_budgets(config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List every budget; one with an `each` has a line for each value."""
    items = source.budgets(read(config_path), url)
    if as_json:
        print_json({"items": items, "next": None})
    elif items:
        now = dt.datetime.now(dt.UTC)
        print_table(HEADER, (table_row(item, now) for item in items))
    else:
        say("No budget has anything to show. A budget is made in the configuration: [[budgets]].")


@command.command("show", examples=("switchgear budgets show openai-month",))
@click.argument("name")
@config_option
@url_option
@json_option
def show_budget(name: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show one budget in full.

    As JSON a budget is one object; one with an `each` is a list of them: {"name": ..., "items": [...]}.
    """
    settings = read(config_path)
    found = source.budgets(settings, url)
    items = [item for item in found if item["name"] == name]
    known = {item["name"] for item in found} | {budget.name for budget in settings.config.budgets}
    if name not in known:
        refuse_unknown("budget", name, known)
    one = items[0] if items and items[0]["value"] is None else None
    if as_json:
        print_json(one or {"name": name, "items": items, "next": None})
        return
    if not items:
        say(f"Budget {name} has nothing to show yet: it begins with the first call that it is for.")
    now = dt.datetime.now(dt.UTC)
    for at, item in enumerate(items):
        if at:
            click.echo()
        print_facts(_facts(item, now))


command.add_command(budget_forecast.command)
command.add_command(budget_limit.command)


def table_row(item: Mapping[str, Any], now: dt.datetime) -> tuple[Cell | str, ...]:
    """Return the line of a budget under *HEADER*."""
    return (
        text_of(item["name"]),
        text_of(item["value"]),
        item["kind_words"],
        _amount(item, "spent"),
        _amount(item, "reserved"),
        _amount(item, "remaining"),
        _amount(item, "limit"),
        Cell(f"{item['used_percent']:.1f} % {item['state']}", _TONES.get(item["state"])),
        _resets(item, now),
    )


def _facts(item: Mapping[str, Any], now: dt.datetime) -> Iterator[tuple[str, Cell | str]]:
    yield "budget", text_of(item["name"])
    if item["value"] is not None:
        yield "for", text_of(item["value"])
    yield "counts", ", ".join(f"{key} = {text_of(value)}" for key, value in item["match"].items()) or "every call"
    yield "kind", item["kind_words"]
    yield "period", f"{item['period']}, resets {_resets(item, now)}" if item["resets_at"] else item["period"]
    yield "state", Cell(f"{item['used_percent']:.1f} % spent - {item['state']}", _TONES.get(item["state"]))
    for name in ("limit", "spent", "reserved", "remaining"):
        yield f"  {name}", _amount(item, name)
    yield "unpriced calls", f"{item['unpriced_calls']:,}"
    if item.get("shadow"):
        yield "would have refused", f"{item['would_refuse']:,}"
    else:
        yield "refused since start", f"{item['refused']:,}"


def _amount(item: Mapping[str, Any], name: str) -> str:
    return usd(item[f"{name}_usd"]) if item["unit"] == "usd" else f"{tokens(item[f'{name}_tokens'])} tok"


def _resets(item: Mapping[str, Any], now: dt.datetime) -> str:
    at = instant(item["resets_at"])
    return "never" if at is None else f"in {span(max(0.0, (at - now).total_seconds()))}"
