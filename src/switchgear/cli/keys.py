"""``switchgear keys``: who may use the gateway, and for what."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli.base import Group
from switchgear.cli.consent import operator, require_consent, yes_option
from switchgear.cli.key_terms import expiry_of, terms_of, terms_options
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchgear.cli.output import Tone
    from switchgear.cli.settings import Settings
    from switchgear.ledger.key_rows import Key
    from switchgear.ledger.keys import KeyBook

__all__ = ["command"]

_HEADER: Final = ("KEY", "ID", "STATE", "EXPIRES", "MAY USE", "LIMITS", "BUDGET")
_TONES: Final[dict[str, Tone]] = {"active": "ok", "expired": "warn", "revoked": "idle"}
_LIMITS: Final = {
    "requests_per_minute": "req/min",
    "requests_per_day": "req/day",
    "tokens_per_minute": "tok/min",
    "tokens_per_day": "tok/day",
    "concurrent": "at a time",
}


@click.group(
    cls=Group,
    name="keys",
    examples=(
        "switchgear keys create ci --service openai --limit-usd 5 --period day --expires 30d",
        "switchgear keys rotate ci --grace 1h",
        "switchgear keys revoke ci",
    ),
)
def command() -> None:
    """Say who may use the gateway, and for what.

    A running server knows of a change within about a second.
    """


@command.command("create", examples=("switchgear keys create ci --job nightly --fixed --requests-per-minute 60",))
@click.argument("name")
@terms_options
@config_option
@json_option
def create(name: str, expires: str | None, config_path: Path | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401, FBT001 - click passes them by name
    """Make a key called NAME and show its secret: this once, it is not kept."""
    settings = read(config_path)
    now = _now()
    terms = terms_of(settings.config, **given)
    until = None if expires is None else expiry_of(expires, settings.config, now)
    with _book(settings, create=True) as book:
        try:
            key, secret = book.create(name, terms, at=now, by=operator(), expires_at=until)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    _show_secret(key, secret, as_json=as_json)


@command.command("list", examples=("switchgear keys list --json",))
@config_option
@json_option
def list_keys(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List every key there ever was; no secret is among it."""
    with _book(read(config_path)) as book:
        items = [_item(key) for key in book.all()]
    if as_json:
        print_json({"items": items, "next": None})
    elif items:
        print_table(_HEADER, (_row(item) for item in items))
    else:
        say("There is no key yet: switchgear keys create NAME makes one.")


@command.command("show", examples=("switchgear keys show ci",))
@click.argument("name")
@config_option
@json_option
def show(name: str, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show one key in full; its secret can't be shown again."""
    with _book(read(config_path)) as book:
        key = book.get(name)
        if key is None:
            refuse_unknown("key", name, [one.name for one in book.all()])
    item = _item(key)
    if as_json:
        print_json(item)
    else:
        print_facts(_facts(item))


@command.command("revoke", examples=("switchgear keys revoke ci --yes",))
@click.argument("name")
@yes_option
@config_option
@json_option
def revoke(name: str, yes: bool, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """End a key, for ever. Calls in flight go on; its name is not used again."""
    with _book(read(config_path)) as book:
        if book.get(name) is None:
            refuse_unknown("key", name, [one.name for one in book.all()])
        require_consent(f"End the key {name} for ever?", given=yes)
        key = book.revoke(name, at=_now(), by=operator())
    if as_json:
        print_json(_item(key))
    else:
        say(f"The key {name} is revoked; a running server turns it away within about a second.")


@command.command("rotate", examples=("switchgear keys rotate ci --grace 1h",))
@click.argument("name")
@click.option(
    "--grace", metavar="DURATION", help="For how long the secret until now holds too, e.g. 1h; default: it ends."
)
@config_option
@json_option
def rotate(name: str, grace: str | None, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Give a key another secret and show it: this once, it is not kept."""
    from switchgear.durations import parse_duration

    try:
        spare = 0 if grace is None else parse_duration(grace)
    except ValueError as error:
        msg = f"--grace: {error}"
        raise click.UsageError(msg) from None
    with _book(read(config_path)) as book:
        if book.get(name) is None:
            refuse_unknown("key", name, [one.name for one in book.all()])
        try:
            key, secret = book.rotate(name, at=_now(), by=operator(), grace=spare)
        except ValueError as error:
            raise click.ClickException(str(error)) from None
    _show_secret(key, secret, as_json=as_json)


@contextmanager
def _book(settings: Settings, *, create: bool = False) -> Iterator[KeyBook]:
    from switchgear.ledger.access import beside
    from switchgear.ledger.keys import KeyBook

    ledger = settings.config.ledger
    with beside(ledger.url, durability=ledger.durability, create=create) as engine:
        yield KeyBook(engine)


def _now() -> int:
    from switchgear.clock import SystemClock

    return SystemClock().moment().wall


def _item(key: Key) -> dict[str, Any]:
    from switchgear.insight.key_item import key_item
    from switchgear.insight.metrics import plain

    found: dict[str, Any] = plain(key_item(key, _now()))
    return found


def _show_secret(key: Key, secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_item(key), "secret": secret})
        return
    say(f"The key {key.name}. This is the only time that its secret is shown:")
    click.echo(secret)


def _row(item: Mapping[str, Any]) -> tuple[Cell | str, ...]:
    return (
        text_of(item["name"]),
        item["id"],
        Cell(item["state"], _TONES[item["state"]]),
        text_of(item["expires_at"]),
        _may_use(item),
        _limits(item),
        _budget(item),
    )


def _facts(item: Mapping[str, Any]) -> Iterator[tuple[str, Cell | str]]:
    yield "key", text_of(item["name"])
    yield "id", item["id"]
    if item["previous_id"]:
        yield "until now", f"{item['previous_id']}, holds until {item['previous_until']}"
    yield "state", Cell(item["state"], _TONES[item["state"]])
    for name in ("created_at", "expires_at", "revoked_at"):
        yield name.removesuffix("_at"), text_of(item[name])
    yield "may use", _may_use(item)
    yield "limits", _limits(item)
    yield "budget", _budget(item)
    said = {name: item[name] for name in ("job", "run", "layer") if item[name]}
    said |= {f"tag {name}": value for name, value in item["tags"].items()}
    yield "attribution", ", ".join(f"{name} {text_of(value)}" for name, value in said.items()) or "-"
    yield "calls may change it", "no" if item["fixed"] else "yes"


def _may_use(item: Mapping[str, Any]) -> str:
    parts = [", ".join(item["services"]) or "every service"]
    if item["models"]:
        parts.append(f"models {', '.join(text_of(one) for one in item['models'])}")
    return "; ".join(parts)


def _limits(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{item[name]:,} {word}" for name, word in _LIMITS.items() if item[name] is not None) or "-"


def _budget(item: Mapping[str, Any]) -> str:
    if item["limit_usd"] is not None:
        period = "" if item["period"] == "total" else f" a {item['period']}"
        return f"{item['limit_usd']} USD{period}"
    if item["limit_tokens"] is not None:
        return f"{item['limit_tokens']:,} tokens, {item['period']}"
    return "-"
