"""``switchgear costs reconcile``: a provider's figures beside the ledger's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.money import format_usd, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.config.model import Config
    from switchgear.insight.reconcile import Comparison, Reconciliation
    from switchgear.insight.reconcile_formats import BillLine

__all__ = ["command"]

_HEADER: Final = ("DAY", "MODEL", "TOKENS BILLED", "HERE", "COST BILLED", "HERE", "LIKELY")


@click.command(
    "reconcile",
    cls=Command,
    examples=(
        "switchgear costs reconcile --provider openai --file cost_2026-11-01_2026-11-30.csv",
        "switchgear costs reconcile --provider anthropic --file claude_api_tokens.csv --month 2026-11 --json",
    ),
)
@click.option(
    "--provider",
    required=True,
    type=click.Choice(["openai", "anthropic", "generic"]),
    help="Whose file it is; generic: date, model, input_tokens, output_tokens, cost_usd.",
)
@click.option(
    "--file",
    "file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The CSV file that it exported.",
)
@click.option("--service", metavar="NAME", help="Only this service; default: every one that this provider bills.")
@click.option("--month", metavar="MONTH", help="The file must be about this month, such as 2026-11.")
@click.option("--check", is_flag=True, help="Exit with 3 if anything differs.")
@config_option
@json_option
def command(
    provider: str,
    file: Path,
    service: str | None,
    month: str | None,
    check: bool,  # noqa: FBT001 - click passes it by name
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> int:
    """Compare a provider's file with the ledger.

    Tokens and dollars by day (UTC) and model, the difference, and what it probably is.
    """
    from switchgear.insight.reconcile import reconcile
    from switchgear.insight.reconcile_formats import BadBill, read_bill

    settings = read(config_path)
    services = _services(settings.config, provider, service)
    if month is not None:
        _check_month(month)
    try:
        bill = read_bill(file, provider)
        if month is not None:
            _require_month(bill, month, file)
        with open_ledger(settings) as ledger:
            found = reconcile(bill, ledger.reader, services)
    except BadBill as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(_json(found, provider, services))
    else:
        _print(found)
    return CHECK_FAILED if check and not found.agrees else OK


def _services(config: Config, provider: str, given: str | None) -> list[str]:
    if given is not None:
        if given not in config.services:
            refuse_unknown("service", given, config.services)
        return [given]
    if provider == "generic":
        return sorted(config.services)
    found = [
        name
        for name, service in config.services.items()
        if provider in {service.provider, name} or (service.provider is None and service.kind == provider)
    ]
    # A service of another name that speaks the same language bills by itself: openrouter is not openai.
    named = [name for name in found if provider in {name, config.services[name].provider}]
    return sorted(named or found)


def _check_month(month: str) -> None:
    from switchgear.insight.questions import BadQuestion, month_of

    try:
        month_of(month, ZoneInfo("UTC"))
    except BadQuestion as error:
        msg = f"--month: {error.detail}"
        raise click.UsageError(msg) from None


def _require_month(bill: Sequence[BillLine], month: str, file: Path) -> None:
    from switchgear.insight.reconcile_formats import BadBill

    others = sorted({f"{line.day:%Y-%m}" for line in bill} - {month})
    if others:
        msg = f"{file}: is about {', '.join(others)}, not only about {month}; export {month} (days are UTC)"
        raise BadBill(msg)


def _print(found: Reconciliation) -> None:
    print_table(_HEADER, map(_row, found.lines))
    wrong = sum(not line.agrees for line in found.lines)
    tokens = _total([line.tokens_missing for line in found.lines])
    cost = _total([line.cost_missing for line in found.lines])
    parts = [f"{tokens:+,} tokens"] if tokens is not None else []
    parts += [f"{'' if cost < 0 else '+'}{format_usd(cost)}"] if cost is not None else []
    say(
        f"{found.first} to {found.last} (UTC): {len(found.lines) - wrong} of {len(found.lines)} lines agree; "
        f"billed beyond the ledger: {' and '.join(parts) or 'nothing to compare'}."
    )


def _row(line: Comparison) -> tuple[Cell | str, ...]:
    booked = line.booked
    unpriced = f" + {booked.unpriced:,} unpriced" if booked.unpriced else ""
    return (
        f"{line.day}",
        text_of(line.model),
        "-" if line.billed_tokens is None else f"{line.billed_tokens:,}",
        f"{booked.tokens:,}",
        format_usd(line.billed_cost),
        f"{'~' if booked.estimated and booked.cost else ''}{format_usd(booked.cost)}{unpriced}",
        Cell("agrees", "ok") if line.reason is None else Cell(line.reason, "warn"),
    )


def _total(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _json(found: Reconciliation, provider: str, services: list[str]) -> dict[str, Any]:
    return {
        "provider": provider,
        "services": services,
        "from": f"{found.first}",
        "to": f"{found.last}",
        "agrees": found.agrees,
        "items": list(_items(found)),
    }


def _items(found: Reconciliation) -> Iterator[dict[str, Any]]:
    for line in found.lines:
        booked = line.booked
        yield {
            "day": f"{line.day}",
            "model": line.model,
            "billed_tokens": line.billed_tokens,
            "ledger_tokens": booked.tokens,
            "tokens_difference": line.tokens_missing,
            "billed_usd": _usd(line.billed_cost),
            "ledger_usd": _usd(booked.cost),
            "usd_difference": _usd(line.cost_missing),
            "ledger_calls": booked.calls,
            "unpriced": booked.unpriced,
            "estimated": booked.estimated,
            "orphaned": booked.orphaned,
            "agrees": line.agrees,
            "reason": line.reason,
        }


def _usd(nano: int | None) -> str | None:
    return None if nano is None else f"{to_usd(nano):f}"
