"""``switchgear limits``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli import source
from switchgear.cli.base import Group
from switchgear.cli.errors import OK, REFUSED
from switchgear.cli.output import Cell, json_option, paint, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.words import instant, span, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from switchgear.cli.output import Tone

__all__ = ["command"]

_HEADER: Final = ("SERVICE", "LIMIT", "MODE", "USED", "OF", "LEFT", "WAITING", "FREE", "WOULD HAVE")
_ASKED: Final = ("", "RULE", "SAYS", "USED", "RESERVED", "NEEDED", "LEFT", "OF", "AND")
_SAYS: Final[dict[str, tuple[str, Tone]]] = {
    "pass": ("\N{CHECK MARK} passes", "ok"),
    "wait": ("\N{HORIZONTAL ELLIPSIS} waits", "warn"),
    "refuse": ("\N{BALLOT X} refuses", "crit"),
}
_ANSWERS: Final[dict[str, tuple[str, Tone]]] = {
    "pass": ("\N{CHECK MARK} WOULD PASS", "ok"),
    "wait": ("\N{HORIZONTAL ELLIPSIS} WOULD WAIT", "warn"),
    "refuse": ("\N{BALLOT X} WOULD BE REFUSED", "crit"),
}


@click.group(
    cls=Group,
    name="limits",
    examples=(
        "switchgear limits list",
        "switchgear limits test openai --model gpt-4o-mini --tokens 2000 --job acme-42",
    ),
)
def command() -> None:
    """Show limits, and test what a call would meet."""


@command.command("list", examples=("switchgear limits list",))
@config_option
@url_option
@json_option
def list_limits(config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List every limit with what is used of it."""
    items = source.limits(read(config_path), url)
    if as_json:
        print_json({"items": items, "next": None})
    elif items:
        now = dt.datetime.now(dt.UTC)
        print_table(_HEADER, (_row(item, now) for item in items))
    else:
        say("No service has a limit. One is made in the configuration: [services.NAME] limits = { ... }.")


@command.command(
    "test",
    examples=(
        "switchgear limits test openai --model gpt-4o-mini --tokens 2000",
        "switchgear limits test openai --model gpt-4o --input-tokens 800 --max-output-tokens 500 --job acme-42",
        "switchgear limits test firecrawl --unit pages=3 --tag team=search --json",
    ),
)
@click.argument("service")
@click.option("--model", help="The model that would be billed.")
@click.option("--tokens", type=int, help="All its tokens, priced as the dearer kind.")
@click.option("--input-tokens", type=int, help="An upper bound of the input.")
@click.option("--max-output-tokens", type=int, help="An upper bound of the output.")
@click.option("--unit", "units", multiple=True, metavar="NAME=N", help="Other units, e.g. pages=3; may be repeated.")
@click.option("--job", help="On behalf of which job; likewise --run, --layer, --key.")
@click.option("--run")
@click.option("--layer")
@click.option("--key")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag; may be repeated.")
@click.option("--max-wait", metavar="DURATION", help='How long it would wait, e.g. "5s"; default: as the service says.')
@config_option
@url_option
@json_option
def test_limits(config_path: Path | None, url: str | None, as_json: bool, **said: Any) -> int:  # noqa: ANN401, FBT001 - click passes them by name
    """Say whether a call would pass now, which rule decides, and when it would pass.

    Nothing is consumed by asking: no slot, no budget, no trial call. Ends with 0 if the call would
    pass, at once or after waiting; with 5 if it would be refused.
    """
    from switchgear.governor.question import QuestionError

    units, tags = _pairs("unit", said.pop("units")), _pairs("tag", said.pop("tags"))
    counts = {name: int(count) if count.isdecimal() else count for name, count in units.items()}
    call = {name: value for name, value in said.items() if value is not None}
    call |= ({"units": counts} if counts else {}) | ({"tags": tags} if tags else {})
    try:
        found = source.explanation(read(config_path), url, call)
    except QuestionError as error:
        msg = f"{error}."
        raise click.UsageError(msg) from None
    if as_json:
        print_json(found)
    else:
        _print(found)
    return REFUSED if found["verdict"] == "refuse" else OK


def _print(found: Mapping[str, Any]) -> None:
    word, tone = _ANSWERS[found["verdict"]]
    what = found["service"] if found["model"] is None else f"{found['service']} {text_of(found['model'])}"
    worst = (
        "unpriced" if found["cost_usd"] is None else f"at most {usd(found['cost_usd'])}, by {text_of(found['price'])}"
    )
    click.echo(f"{paint(word, tone)}  {what}, {tokens(found['tokens'])} tokens, {worst}")
    if found["degraded_from"]:
        click.echo(f"A budget puts {text_of(found['model'])} in the place of {text_of(found['degraded_from'])}.")
    click.echo()
    rules: Sequence[Mapping[str, Any]] = sorted(found["rules"], key=lambda rule: not rule["decides"])
    print_table(_ASKED, map(_asked, rules))
    click.echo()
    click.echo(text_of(found["sentence"]))


def _asked(rule: Mapping[str, Any]) -> tuple[Cell | str, ...]:
    said, tone = _SAYS[rule["verdict"]]
    if rule["shadow"]:
        said, tone = f"{said} (shadow)", "idle"
    name = rule["rule"] if rule["value"] is None else f"{rule['rule']} ({rule['value']})"
    numbers = (_amount(rule, part) for part in ("used", "reserved", "needed", "remaining", "limit"))
    return ("->" if rule["decides"] else "", text_of(name), Cell(said, tone), *numbers, _also(rule))


def _also(rule: Mapping[str, Any]) -> str:
    """Return what the columns do not say."""
    at = instant(rule["passes_at"])
    if rule["kind"] in {"price", "breaker"}:
        return text_of(rule["text"])
    if rule["kind"] == "budget":
        resets = instant(rule["resets_at"])
        return str(rule["period"]) if resets is None else f"{rule['period']}, resets {resets:%Y-%m-%d %H:%M} UTC"
    if at is not None:
        return f"room at {at:%H:%M:%S} UTC"
    span_of = rule["window_seconds"]
    return "" if span_of is None else "in flight" if not span_of else f"in any {span(span_of)}"


def _amount(rule: Mapping[str, Any], part: str) -> str:
    number = rule[part]
    return usd(number) if rule["unit"] == "usd" else tokens(number)


def _row(item: Mapping[str, Any], now: dt.datetime) -> tuple[Cell | str, ...]:
    free = instant(item["free_at"])
    left = max(0, item["limit"] - item["used"])
    return (
        text_of(item["service"]),
        text_of(item["rule"]),
        Cell("Shadow", "idle") if item["shadow"] else "Enforced",
        tokens(item["used"]),
        tokens(item["limit"]),
        Cell(tokens(left), None if left else "warn"),
        tokens(item["waiting"]),
        "now"
        if free is None and left
        else "when a call ends"
        if free is None
        else f"in {span((free - now).total_seconds())}",
        f"made {item['would_wait']:,} wait, refused {item['would_refuse']:,}" if item["shadow"] else "",
    )


def _pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            msg = f"--{option}: NAME=VALUE is wanted, not {text!r}."
            raise click.UsageError(msg)
        found[name] = value
    return found
