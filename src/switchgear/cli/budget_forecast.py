"""``switchgear budgets forecast``: what a budget will have used at the end of its period, and when it runs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from switchgear.cli import source
from switchgear.cli.base import Command
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, say, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.words import instant, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["command"]


@click.command("forecast", cls=Command, examples=("switchgear budgets forecast openai-month",))
@click.argument("name")
@config_option
@url_option
@json_option
def command(name: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Forecast a budget: at the end of its period, with an 80 % band, and when it runs out.

    As JSON a budget is one object; one with an `each` is a list of them: {"name": ..., "items": [...]}.
    """
    settings = read(config_path)
    budgets = source.budgets(settings, url)
    known = {item["name"] for item in budgets} | {budget.name for budget in settings.config.budgets}
    if name not in known:
        refuse_unknown("budget", name, known)
    without_end = [item["period"] for item in budgets if item["name"] == name and item["resets_at"] is None]
    if without_end:
        msg = f"budget {name} counts over {without_end[0]}: that has no end to forecast; hour, day, week and month have"
        raise click.ClickException(msg)
    items = source.forecasts(settings, url, name)
    one = items[0] if items and items[0]["value"] is None else None
    if as_json:
        print_json(one or {"name": name, "items": items, "next": None})
        return
    if not items:
        say(f"Budget {name} has nothing to forecast yet: it begins with the first call that it is for.")
    zone = ZoneInfo(settings.config.server.reporting_timezone)
    for at, item in enumerate(items):
        if at:
            click.echo()
        print_facts(_facts(item, zone))


def _facts(item: Mapping[str, Any], zone: ZoneInfo) -> Iterator[tuple[str, Cell | str]]:
    yield "budget", text_of(item["budget"])
    if item["value"] is not None:
        yield "for", text_of(item["value"])
    yield "period", f"{item['period']}, until {_time(item['period_end'], zone)}"
    yield "spent", f"{_amount(item, 'spent')} of {_amount(item, 'limit')}"
    yield "forecast", _expected(item)
    yield "runs out", _runs_out(item, zone)
    yield "method", text_of(item["method"])
    yield "tested on", f"{item['origins']:,} forecasts of the past, {item['history_days']:.1f} days of history"
    if item["note"]:
        yield "note", item["note"]
    yield "unpriced calls", f"{item['unpriced_calls']:,}"


def _expected(item: Mapping[str, Any]) -> str:
    if item["method"] is None:
        return text_of(item["note"])
    band = item["interval"]
    if band is None:
        return _amount(item, "expected")
    return f"{_amount(item, 'expected')} (80 %: {_band_amount(band, 'low')} to {_band_amount(band, 'high')})"


def _runs_out(item: Mapping[str, Any], zone: ZoneInfo) -> Cell | str:
    if item["exhaustion"] == "exhausted":
        return Cell("exhausted", "crit")
    if item["exhaustion"] is None:
        return "-"
    band = item["exhausted_interval"]
    text = _time(item["exhausted_at"], zone)
    if band is not None and (band["early"] or band["late"]):
        text += f" (80 %: {_time(band['early'], zone)} to {_time(band['late'], zone)})"
    return Cell(text, "warn" if item["exhausted_at"] else None)


def _time(text: str | None, zone: ZoneInfo) -> str:
    at = instant(text)
    if at is None:
        return "not this period"
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %H:%M}"


def _amount(item: Mapping[str, Any], name: str) -> str:
    return usd(item[f"{name}_usd"]) if item["unit"] == "usd" else f"{tokens(item[f'{name}_tokens'])} tok"


def _band_amount(band: Mapping[str, Any], name: str) -> str:
    return usd(band[f"{name}_usd"]) if band[f"{name}_usd"] is not None else f"{tokens(band[f'{name}_tokens'])} tok"
