"""``switchgear costs report``: what a day, a month or any time cost, as table, JSON, CSV or HTML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.answers import answerable, write_out, zone_of
from switchgear.cli.base import Command
from switchgear.cli.output import json_option, print_facts, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.words import tokens
from switchgear.money import format_usd, to_nano

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from switchgear.insight.reports import CostPart, CostReport, CostRow

__all__ = ["command"]

_MOST: Final = 20
_NUMBERS: Final = ("CALLS", "FAILED", "IN", "OUT", "UNITS", "COST", "SHARE", "A CALL", "UNPRICED")


@click.command(
    "report",
    cls=Command,
    examples=(
        "switchgear costs report --month 2026-11",
        "switchgear costs report --day 2026-11-24 --by model,layer --json",
        "switchgear costs report --month 2026-11 --by tag.team",
        "switchgear costs report --month 2026-11 --format html --out november.html",
    ),
)
@click.option("--month", metavar="MONTH", help="Such as 2026-11; default: the running month.")
@click.option("--day", metavar="DAY", help="Such as 2026-11-24, instead of a month.")
@click.option("--from", "since", metavar="WHEN", help="From this day, month or instant on, instead of a month.")
@click.option("--to", "until", metavar="WHEN", help="To the end of this day or month, or to before this instant.")
@click.option("--by", metavar="NAMES", help="One table by these, such as model,layer or job, run, tag.team.")
@click.option("--tz", metavar="ZONE", help="Time zone; default: reporting_timezone.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "json", "csv", "html"]),
    default="table",
    show_default=True,
    help="How it is written.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it to this file.")
@config_option
@json_option
def command(config_path: Path | None, shape: str, out: Path | None, as_json: bool, **asked: str | None) -> None:  # noqa: FBT001 - click passes it by name
    """Report what a month, a day or any time cost.

    By service, provider, model, layer, job and key, the dearest 20 of each; or by what --by says, all of them.
    """
    from switchgear.clock import SystemClock
    from switchgear.insight.periods import read_period
    from switchgear.insight.questions import read_groups
    from switchgear.insight.reports import Parts, cost_report
    from switchgear.insight.service_item import providers_of

    if as_json and shape not in {"table", "json"}:
        msg = f"--json contradicts --format {shape}; one of the two is enough."
        raise click.UsageError(msg)
    shape = "json" if as_json else shape
    settings = read(config_path)
    now = SystemClock().moment().wall
    with answerable():
        zone = zone_of(settings, asked["tz"])
        period, span = read_period(
            month=asked["month"], day=asked["day"], since=asked["since"], until=asked["until"], zone=zone, now=now
        )
        by = asked["by"]
        with open_ledger(settings) as ledger:
            report = cost_report(
                ledger.reader.usage,
                span,
                period=period,
                parts=Parts.of(None, most=_MOST) if by is None else Parts.of(read_groups(by), most=None),
                zone=zone,
                providers=providers_of(settings.config),
                now=now,
            )
    if shape == "table" and out is None:
        _print(report)
    elif shape == "table":
        msg = "--out needs --format json, csv or html"
        raise click.UsageError(msg)
    else:
        write_out(_text(report, shape, zone), out)


def _text(report: CostReport, shape: str, zone: ZoneInfo) -> str:
    if shape == "json":
        import json

        from switchgear.insight.metrics import plain

        return json.dumps(plain(report), indent=2, ensure_ascii=False) + "\n"
    if shape == "csv":
        from switchgear.insight.sheets import costs_csv

        return costs_csv(report)
    from switchgear.insight.report_html import report_html

    return report_html(report, zone)


def _print(report: CostReport) -> None:
    total = report.total
    print_facts(
        (
            ("period", f"{text_of(report.period)}, {report.timezone}"),
            ("spent", _usd(total.cost_usd)),
            ("unpriced calls", f"{total.unpriced:,}"),
            ("calls", f"{total.calls:,}: {total.failed:,} failed, {total.refused:,} refused"),
            ("tokens", f"{total.input_tokens:,} in ({total.cache_read_tokens:,} cached), {total.output_tokens:,} out"),
            ("units", _units(total)),
            ("an average call", _usd(total.cost_per_call_usd)),
        )
    )
    for part in report.parts:
        click.echo()
        print_table((*(name.upper() for name in part.by), *_NUMBERS), _lines(part, total))
    if report.not_kept:
        say(
            f"{report.not_kept:,} calls of this time are no longer kept one by one: they are in the total, but not"
            " by job, run or tag."
        )


def _lines(part: CostPart, total: CostRow) -> Iterator[tuple[str, ...]]:
    blank = ("",) * (len(part.by) - 1)
    for row in part.rows:
        yield (*map(text_of, row.group.values()), *_numbers(row))
    if part.rest is not None:
        yield ("all others", *blank, *_numbers(part.rest))
    if part.by:
        yield ("total", *blank, *_numbers(total))


def _numbers(row: CostRow) -> tuple[str, ...]:
    return (
        f"{row.calls:,}",
        f"{row.failed:,}",
        tokens(row.input_tokens),
        tokens(row.output_tokens),
        _units(row),
        _usd(row.cost_usd),
        "-" if row.cost_percent is None else f"{row.cost_percent:.1f} %",
        _usd(row.cost_per_call_usd),
        f"{row.unpriced:,}",
    )


def _units(row: CostRow) -> str:
    return text_of(", ".join(f"{number:,} {unit}" for unit, number in row.units.items()) or None)


def _usd(amount: Decimal | None) -> str:
    return format_usd(None if amount is None else to_nano(amount))
