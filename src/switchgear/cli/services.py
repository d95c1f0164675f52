"""``switchgear services``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from switchgear.cli import breaker_order, source
from switchgear.cli.base import Group
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.words import breaker_cell, breaker_story, instant, limit_text, share, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["command"]


@click.group(
    cls=Group, name="services", examples=("switchgear services list", "switchgear services show openai --json")
)
def command() -> None:
    """Show the services, their breakers and limits, and tell a breaker what to do."""


command.add_command(breaker_order.command)


@command.command("list", examples=("switchgear services list",))
@config_option
@url_option
@json_option
def list_services(config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List every service with its breaker and limits."""
    items = source.services(read(config_path), url)
    if as_json:
        print_json({"items": items, "next": None})
        return
    now = dt.datetime.now(dt.UTC)
    rows = [
        (
            text_of(item["name"]),
            item["kind"],
            breaker_cell(item["breaker"]["state"]),
            breaker_story(item["breaker"], now),
            "yes" if item["critical"] else "no",
            ", ".join(limit_text(limit) for limit in item["limits"]) or "-",
        )
        for item in items
        if item["breaker"]
    ]
    print_table(("SERVICE", "KIND", "BREAKER", "WHICH MEANS", "CRITICAL", "LIMITS"), rows)


@command.command("show", examples=("switchgear services show openai",))
@click.argument("name")
@config_option
@url_option
@json_option
def show_service(name: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show one service in full."""
    items = {item["name"]: item for item in source.services(read(config_path), url)}
    if name not in items:
        refuse_unknown("service", name, items)
    if as_json:
        print_json(items[name])
    else:
        print_facts(_facts(items[name], dt.datetime.now(dt.UTC)))


def _facts(item: Mapping[str, Any], now: dt.datetime) -> Iterator[tuple[str, Cell | str]]:
    yield "service", text_of(item["name"])
    yield "kind", item["kind"]
    yield "price list", text_of(item["provider"])
    yield "critical", "yes" if item["critical"] else "no"
    yield "gateway path", item["path"]
    if breaker := item["breaker"]:
        state = breaker_cell(breaker["state"])
        yield "breaker", Cell(f"{state.text} - {breaker_story(breaker, now)}", state.tone)
        since = instant(breaker["since"])
        yield "  since", span(None if since is None else (now - since).total_seconds())
        yield "  why", text_of(breaker["reason"])
        yield "  failures in a row", f"{breaker['failures']}/{breaker['failure_threshold']}"
        rate = f"{breaker['failure_rate_threshold']:.0%}".replace("%", " %")
        failed = share(breaker["window_failed"], breaker["window_calls"])
        yield (
            "  failures in window",
            f"{failed} of {breaker['window_calls']:,} calls; opens at {rate} from {breaker['minimum_calls']} calls",
        )
        yield "  refused since start", f"{breaker['rejected']:,}"
    for limit in item["limits"]:
        waiting = f", {limit['waiting']} waiting" if limit["waiting"] else ""
        name = f"limit {str(limit['rule']).replace('_', ' ')}"
        if limit.get("shadow"):
            name = f"shadow {name}"
            waiting = f"; would have made {limit['would_wait']:,} wait and refused {limit['would_refuse']:,}"
        yield name, f"{limit['used']:,} of {limit['limit']:,}{waiting}"
