"""``switchgear status``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.budgets import HEADER, table_row
from switchgear.cli.errors import CHECK_FAILED, OK, UnreachableError
from switchgear.cli.fetch import fetch
from switchgear.cli.output import Cell, json_option, paint, print_json, print_table, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.source import server_url
from switchgear.cli.words import breaker_cell, health_cell, instant, limit_text, share, span, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["command"]

_SERVICES: Final = ("SERVICE", "BREAKER", "SINCE", "CALLS 1h", "FAILED", "REFUSED", "TIGHTEST LIMIT", "NEXT PROBE")


@click.command(
    cls=Command,
    name="status",
    examples=("switchgear status", "switchgear status --check || echo look at it", "switchgear status --json"),
)
@click.option("--check", is_flag=True, help="Exit with 3 unless everything is healthy.")
@config_option
@url_option
@json_option
def command(check: bool, config_path: Path | None, url: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes them by name
    """Show how things are, on one screen. Asks the running server."""
    where = server_url(read(config_path), url)
    try:
        snapshot = fetch(where, "/api/metrics")
        health = fetch(where, "/api/health?strict=0")
    except UnreachableError as error:
        msg = f"{error}\nStart one with `switchgear serve`, or say where it is: --url, or SWITCHGEAR_URL."
        raise UnreachableError(msg) from None
    if as_json:
        more = ("today", "month", "hour", "breakers", "limits", "budgets")
        print_json({**health, **{name: snapshot[name] for name in more}})
    else:
        _print(snapshot)
    return CHECK_FAILED if check and health["status"] != "healthy" else OK


def _print(snapshot: Mapping[str, Any]) -> None:
    now = dt.datetime.fromisoformat(snapshot["generated_at"])
    zone = ZoneInfo(snapshot["timezone"])
    word = health_cell(snapshot["health"]["status"])
    reasons = [text_of(reason["text"]) for reason in snapshot["health"]["reasons"]] or ["Nothing to report."]
    click.echo(f"{paint(word.text, word.tone)}  {reasons[0]}  {now.astimezone(zone):%H:%M:%S} {zone.key}")
    for reason in reasons[1:]:
        click.echo(f"{'':{len(word.text)}}  {reason}")
    click.echo()
    print_table(_SERVICES, _service_rows(snapshot, now))
    if snapshot["budgets"]:
        click.echo()
        print_table(HEADER, (table_row(budget, now) for budget in snapshot["budgets"]))
    click.echo()
    click.echo(_totals(snapshot))
    if (hint := _hint(snapshot)) is not None:
        click.echo(f"See why: {hint}")


def _service_rows(snapshot: Mapping[str, Any], now: dt.datetime) -> Iterator[tuple[Cell | str, ...]]:
    breakers = {breaker["service"]: breaker for breaker in snapshot["breakers"]}
    for service in snapshot["health"]["services"]:
        name = service["name"]
        breaker = breakers[name]
        since, probe = instant(breaker["since"]), instant(breaker["next_probe_at"])
        limits = [limit for limit in snapshot["limits"] if limit["service"] == name]
        tightest = max(limits, key=lambda limit: limit["used_percent"], default=None)
        yield (
            text_of(name),
            breaker_cell(breaker["state"]),
            span(None if since is None else max(0.0, (now - since).total_seconds())),
            f"{service['calls']:,}",
            share(service["failed"], service["calls"]),
            f"{service['refused']:,}",
            "-" if tightest is None else limit_text(tightest),
            "-" if probe is None else f"in {span(max(0.0, (probe - now).total_seconds()))}",
        )


def _totals(snapshot: Mapping[str, Any]) -> str:
    today, hour = snapshot["today"], snapshot["hour"]
    unpriced = f" and {today['unpriced']:,} unpriced calls" if today["unpriced"] else ""
    p95 = hour["p95_ms"]
    used = f"{tokens(today['input_tokens'])} tokens in, {tokens(today['output_tokens'])} out"
    slow = span(None if p95 is None else p95 / 1000)
    return f"Today: {usd(today['cost_usd'])}{unpriced}, {today['calls']:,} calls, {used}. Last hour: p95 {slow}."


def _hint(snapshot: Mapping[str, Any]) -> str | None:
    nouns = {"service": "services show", "budget": "budgets show", "limit": "services show"}
    for reason in snapshot["health"]["reasons"]:
        if reason["subject"] in nouns and reason["name"]:
            return f"switchgear {nouns[reason['subject']]} {text_of(reason['name'])}"
    return None
