"""``switchgear prices``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from switchgear.cli.base import Group
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from switchgear.cli.output import Tone
    from switchgear.cli.settings import Settings
    from switchgear.policies.price_facts import PriceFacts, PricePeriod, Rate

__all__ = ["command"]

_UNPRICED: Final = Cell("unpriced", "warn")
_MILLION: Final = 1_000_000


class _Seen(NamedTuple):
    service: str
    model: str | None
    calls: int


@click.group(
    cls=Group,
    name="prices",
    examples=(
        "switchgear prices list",
        "switchgear prices explain gpt-4o-mini --at 2026-11-01",
        "switchgear prices check",
    ),
)
def command() -> None:
    """Show what models cost, and which have no price."""


@command.command("list", examples=("switchgear prices list", "switchgear prices list --service openai --json"))
@click.option("--service", metavar="NAME", help="Only this service.")
@config_option
@json_option
def list_prices(service: str | None, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """List the prices that the configuration states and those of every model that the ledger has seen."""
    settings = read(config_path)
    _known_service(settings, service)
    calls = {(seen.service, seen.model): seen.calls for seen in _seen(settings)}
    own = [(name, model) for name, one in settings.config.services.items() for model in one.prices]
    wanted = sorted(
        {(name, model) for name, model in (*own, *calls) if service in {None, name}},
        key=lambda pair: (pair[0], pair[1] or ""),
    )
    items = [(facts, calls.get((facts.service, facts.model), 0)) for facts in _facts_of(settings, wanted, _now())]
    if as_json:
        print_json({"items": [{**_brief(facts), "calls": number} for facts, number in items], "next": None})
    elif items:
        header = ("SERVICE", "MODEL", "INPUT/1M", "OUTPUT/1M", "OTHER", "CALLS", "SOURCE")
        print_table(header, (_row(facts, number) for facts, number in items))
    else:
        say("No price of your own and no call yet. Any listed model: switchgear prices explain MODEL")


@command.command(
    "explain",
    examples=(
        "switchgear prices explain gpt-4o-mini-2024-07-18",
        "switchgear prices explain deepseek-chat --provider deepseek --at 2026-11-01T03:00",
    ),
)
@click.argument("model")
@click.option("--service", metavar="NAME", help="As this configured service is billed.")
@click.option("--provider", metavar="ID", help="By this provider's list, whatever is configured.")
@click.option("--at", "at_text", metavar="DATE", help="On this day, or at this instant (UTC); default: now.")
@config_option
@json_option
def explain(
    model: str,
    service: str | None,
    provider: str | None,
    at_text: str | None,
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> int:
    """Tell what a model costs, since when, and why. Exits with 3 if nobody knows.

    Without --service and --provider every configured service that has a price for it is shown.
    """
    if service and provider:
        msg = "--service and --provider exclude each other"
        raise click.UsageError(msg)
    at = _instant(at_text) if at_text else _now()
    settings = read(config_path)
    _known_service(settings, service)
    if provider:
        found = [_by_list(provider, model, at)]
    else:
        names = [service] if service else list(settings.config.services)
        found = list(_facts_of(settings, ((name, model) for name in names), at))
    found = [facts for facts in found if facts.source is not None]
    if as_json:
        print_json({"model": model, "at": at.isoformat(), "items": [_plain(facts) for facts in found]})
    for number, facts in enumerate(() if as_json else found):
        if number:
            click.echo()
        print_facts(_story(facts, at))
    if found:
        return OK
    where = f"provider {provider}" if provider else f"service {service}" if service else "any configured service"
    say(f"No price is known for {text_of(model)} at {where}; state one in the configuration:")
    say(f'prices = {{ "{text_of(model)}" = {{ input = "...", output = "..." }} }}   # USD for 1M tokens')
    return CHECK_FAILED


@command.command("check", examples=("switchgear prices check", "switchgear prices check --json"))
@config_option
@json_option
def check(config_path: Path | None, as_json: bool) -> int:  # noqa: FBT001 - click passes it by name
    """Look for models in the ledger that have no price. Exits with 3 if there are any."""
    from switchgear.clock import SystemClock
    from switchgear.insight.checks.prices import check_prices

    settings = read(config_path)
    seen: dict[tuple[str, str | None], int] = {
        (one.service, one.model): one.calls for one in _seen(settings) if one.model is not None
    }
    missing = [facts for facts in _facts_of(settings, sorted(seen, key=str), _now()) if facts.source is None]
    (age,) = check_prices(SystemClock())
    if as_json:
        unpriced = [
            {"service": one.service, "model": one.model, "calls": seen[(one.service, one.model)]} for one in missing
        ]
        print_json({"models": len(seen), "unpriced": unpriced, "list": age._asdict()})
    else:
        click.echo(f"{len(seen):,} models seen, {len(missing):,} without a price; {age.text}")
        for one in missing:
            number = seen[(one.service, one.model)]
            click.echo(f"unpriced  {text_of(one.service)}  {text_of(one.model)}  {number:,} calls")
    return CHECK_FAILED if missing else OK


def _now() -> dt.datetime:
    from switchgear.clock import SystemClock

    return dt.datetime.fromtimestamp(SystemClock().now(), dt.UTC)


def _instant(text: str) -> dt.datetime:
    try:
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        msg = f"--at: not a date such as 2026-11-01 or an instant such as 2026-11-01T03:00Z: {text!r}"
        raise click.UsageError(msg) from None
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


def _known_service(settings: Settings, name: str | None) -> None:
    if name is not None and name not in settings.config.services:
        refuse_unknown("service", name, settings.config.services)


def _seen(settings: Settings) -> list[_Seen]:
    """Return the services and models of every call on record; nothing where there is no ledger yet."""
    from switchgear.cli.source import open_ledger
    from switchgear.ledger.home import home_of

    if not home_of(settings.config.ledger.url).exists():
        say("There is no ledger yet: nothing has been recorded.")
        return []
    with open_ledger(settings) as ledger:
        groups = ledger.reader.totals(by=("service", "model"))
    return [_Seen(str(one.group["service"]), one.group["model"], one.calls) for one in groups]


def _facts_of(settings: Settings, wanted: Iterable[tuple[str, str | None]], at: dt.datetime) -> Iterator[PriceFacts]:
    from switchgear.governor.opening import price_book

    book = price_book(settings.config)
    for service, model in wanted:
        yield book.explain(service, model, int(at.timestamp()) * _MILLION)


def _by_list(provider: str, model: str, at: dt.datetime) -> PriceFacts:
    from switchgear.policies.pricing import PriceBook, PriceSource

    book = PriceBook({provider: PriceSource(kind="openai", provider=provider)})
    return book.explain(provider, model, int(at.timestamp()) * _MILLION)


def _plain(facts: PriceFacts) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(facts)
    return plain


def _brief(facts: PriceFacts) -> dict[str, Any]:
    return {key: value for key, value in _plain(facts).items() if key not in {"periods", "tiers", "context_window"}}


def _row(facts: PriceFacts, calls: int) -> tuple[Cell | str, ...]:
    plain = {rate.what: rate for rate in facts.rates if rate.above is None}
    others = [_rate(rate) for what, rate in plain.items() if what not in {"input", "output"}]
    source: Cell | str = _UNPRICED if facts.source is None else text_of(facts.version)
    amounts = [f"${plain[what].usd:f}" if what in plain else "-" for what in ("input", "output")]
    return (
        text_of(facts.service),
        text_of(facts.model),
        *amounts,
        ", ".join(others) or "-",
        f"{calls:,}",
        source,
    )


def _rate(rate: Rate) -> str:
    per = "1M" if rate.per == _MILLION else f"{rate.per:,}" if rate.per != 1 else "one"
    unit = "" if rate.unit == "tokens" else f" {rate.unit}"
    above = "" if rate.above is None else f" above {rate.above:,} input tokens"
    return f"{rate.what.replace('_', ' ')} ${rate.usd:f}/{per}{unit}{above}"


def _story(facts: PriceFacts, at: dt.datetime) -> Iterator[tuple[str, Cell | str]]:
    yield "model", text_of(facts.model)
    yield "service", text_of(facts.service)
    yield "at", f"{at:%Y-%m-%d %H:%M %Z}"
    if facts.entry != facts.model:
        yield "priced as", f"{text_of(facts.provider)}/{text_of(facts.entry)}" if facts.provider else f"{facts.entry}"
    yield "version", text_of(facts.version)
    yield from _rates("costs", facts.rates)
    for period in facts.periods:
        yield from _period(period)
    for tier in facts.tiers:
        yield from _period(tier)


def _period(period: PricePeriod) -> Iterator[tuple[str, Cell | str]]:
    yield from _rates(period.when, period.rates, tone=None if period.in_force else "idle")


def _rates(name: str, rates: tuple[Rate, ...], *, tone: Tone | None = None) -> Iterator[tuple[str, Cell | str]]:
    for number, rate in enumerate(rates):
        yield ("" if number else name), Cell(_rate(rate), tone)
    if not rates:
        yield name, "nothing"
