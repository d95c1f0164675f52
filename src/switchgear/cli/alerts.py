"""``switchgear alerts``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from switchgear.cli.base import Group
from switchgear.cli.consent import operator
from switchgear.cli.fetch import fetch, send
from switchgear.cli.output import Cell, json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.source import open_ledger, server_url
from switchgear.cli.words import instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from switchgear.cli.output import Tone

__all__ = ["command"]

_TONES: Final[dict[str, Tone]] = {"critical": "crit", "warning": "warn", "info": "idle"}


@click.group(
    cls=Group,
    name="alerts",
    examples=(
        "switchgear alerts list",
        "switchgear alerts silence service=openai --for 2h --reason 'they told us'",
        "switchgear alerts test ops",
    ),
)
def command() -> None:
    """Show what fires, silence it, test who is told.

    A running server is asked.
    """


@command.command("list", examples=("switchgear alerts list --state firing", "switchgear alerts list --json"))
@click.option("--state", type=click.Choice(["firing", "pending", "resolved"]), help="Only those in this state.")
@config_option
@url_option
@json_option
def list_alerts(state: str | None, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List alerts: those that fire, that may, and that were over in the last seven days."""
    found = fetch(server_url(read(config_path), url), "/api/alerts" + (f"?state={state}" if state else ""))
    if as_json:
        print_json(found)
        return
    if found["items"]:
        print_table(("STATE", "SEVERITY", "SINCE", "ALERT", "TOLD"), map(_row, found["items"]))
    else:
        say(f"No alert{f' is {state}' if state else ''}: {len(found['rules'])} rules are in force.")
    for letter in found["dead_letters"]:
        say(f"Given up on, {letter['channel']}: {letter['first']}: {letter['error']}")
    for one in found["silences"]:
        if one["active"]:
            say(f"Silence {one['id']}: {_matchers(one)} until {one['until']} ({one['reason']})")


@command.command("rules", examples=("switchgear alerts rules",))
@config_option
@json_option
def rules(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List the rules of the configuration, the built-in ones first; no server is needed."""
    from switchgear.config.alert_rules import merged_rules

    found = [rule.model_dump(mode="json") for rule in merged_rules(read(config_path).config.alerts)]
    if as_json:
        print_json({"items": found, "next": None})
        return
    print_table(("RULE", "ON", "METRIC", "THRESHOLD", "WINDOW", "FOR", "SEVERITY"), map(_rule_row, found))


@command.command("preview", examples=("switchgear alerts preview --days 30",))
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How far back.")
@config_option
@json_option
def preview_rules(days: int, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Say how often rules would have fired, from the ledger, looked at once in 15 minutes.

    Only rules over calls, cost and errors of services can be told; the others are left out.
    """
    from switchgear.alerts.gather import quarters_of
    from switchgear.alerts.past import LOOKED_BACK_US
    from switchgear.alerts.preview import PREVIEWED, preview
    from switchgear.alerts.rules import rules_of
    from switchgear.clock import SystemClock
    from switchgear.insight.days import from_micros
    from switchgear.insight.metrics import plain

    settings = read(config_path)
    chosen = [rule for rule in rules_of(settings.config.alerts) if rule.metric in PREVIEWED]
    now = SystemClock().moment().wall
    since = now - days * 24 * 3600 * 1_000_000
    with open_ledger(settings) as ledger:
        past = quarters_of(ledger.reader, until=now, since=since - LOOKED_BACK_US)
    fired = preview(chosen, past, since=since, until=now)
    if as_json:
        items = [
            {"rule": one.rule, "labels": one.labels, "at": from_micros(one.at), "value": one.value} for one in fired
        ]
        print_json({"days": days, "items": plain(items), "next": None})
        return
    rows = []
    for rule in chosen:
        own = [one for one in fired if one.rule == rule.name]
        last = f"{from_micros(own[-1].at):%Y-%m-%d %H:%M} {text_of(own[-1].labels['service'])}" if own else "-"
        rows.append((rule.name, f"{len(own):,}", last))
    print_table(("RULE", "WOULD HAVE FIRED", "LAST"), rows)


@command.command("silence", examples=("switchgear alerts silence rule=error-rate,service=openai --for 2h --reason x",))
@click.argument("matchers", required=False)
@click.option("--for", "duration", default="2h", show_default=True, help="How long, such as 30m.")
@click.option("--reason", help="Why; it goes into the audit trail.")
@click.option("--end", metavar="ID", help="Take the silence of that id back.")
@config_option
@url_option
@json_option
def silence(
    matchers: str | None,
    duration: str,
    reason: str | None,
    end: str | None,
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Tell nobody of alerts that have all of MATCHERS, for a time; or take a silence back."""
    address = server_url(read(config_path), url)
    if end is not None:
        found = send(address, f"/api/alerts/silences/{quote(end, safe='')}", {}, method="DELETE")
    else:
        if not matchers or not reason:
            msg = "give MATCHERS, such as service=openai, and --reason; or --end ID"
            raise click.UsageError(msg)
        body = {"matchers": _read(matchers), "duration": duration, "reason": reason, "by": operator()}
        found = send(address, "/api/alerts/silences", body)
    if as_json:
        print_json(found)
    elif end is not None:
        say(f"Silence {end} is over.")
    else:
        say(f"Silence {found['id']} for {_matchers(found)} until {found['until']}.")
        say(f"Undo: switchgear alerts silence --end {found['id']}")


@command.command("ack", examples=("switchgear alerts ack 'breaker-open{service=openai}' --note 'on it'",))
@click.argument("key")
@click.option("--note", default="", help="What you know of it.")
@config_option
@url_option
def ack(key: str, note: str, config_path: Path | None, url: str | None) -> None:
    """Say that somebody knows of the alert KEY, so that nobody is told of it again."""
    found = send(server_url(read(config_path), url), "/api/alerts/ack", {"key": key, "note": note, "by": operator()})
    say(f"{found['done']}.")


@command.command("test", examples=("switchgear alerts test ops",))
@click.argument("channel")
@config_option
@url_option
def test(channel: str, config_path: Path | None, url: str | None) -> None:
    """Send a test message on CHANNEL."""
    found = send(server_url(read(config_path), url), f"/api/alerts/channels/{quote(channel, safe='')}/test", {})
    say(f"{found['done']}.")


def _read(matchers: str) -> dict[str, str]:
    from switchgear.alerts.silences import BadSilence, read_matchers

    try:
        return read_matchers(matchers)
    except BadSilence as error:
        msg = f"MATCHERS: {error}"
        raise click.UsageError(msg) from None


def _row(item: Mapping[str, Any]) -> tuple[Cell | str, ...]:
    since = instant(item["fired_at"] or item["since"])
    told = ", ".join(f"{each['channel']}{' (failed)' if each['failed'] else ''}" for each in item["deliveries"])
    return (
        item["state"],
        Cell(item["severity"], _TONES.get(item["severity"])),
        "" if since is None else f"{since:%Y-%m-%d %H:%M:%S}",
        f"{text_of(item['key'])}  {text_of(item['text'])}",
        told or (f"muted by {item['muted_by']}" if item["muted_by"] else "nobody"),
    )


def _rule_row(rule: Mapping[str, Any]) -> tuple[str, ...]:
    operator_ = next(name for name in ("above", "at_least", "below") if rule[name] is not None)
    return (
        rule["name"],
        "yes" if rule["enabled"] else "no",
        rule["metric"],
        f"{operator_.replace('_', ' ')} {rule[operator_]:g}",
        rule["window"] or "-",
        rule["for"] or "-",
        rule["severity"] or "warning",
    )


def _matchers(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{text_of(name)}={text_of(value)}" for name, value in item["matchers"].items())
