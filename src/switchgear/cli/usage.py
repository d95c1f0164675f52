"""``switchgear usage``: usage and cost over time and by group, from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import click
import msgspec

from switchgear.cli.answers import answerable, write_out, zone_of
from switchgear.cli.base import Command
from switchgear.cli.output import json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.words import tokens
from switchgear.insight.buckets import Bucket
from switchgear.insight.usage import Metric
from switchgear.money import format_usd, to_nano

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.insight.usage import UsageReport, UsageSums

__all__ = ["command"]

_NUMBERS: Final = ("CALLS", "FAILED", "IN", "CACHED", "OUT", "REASONING", "COST", "UNPRICED", "ESTIMATED")


@click.command(
    "usage",
    cls=Command,
    examples=(
        "switchgear usage                                               all of it, by service",
        "switchgear usage --by model,layer --from 2026-11-01",
        "switchgear usage --by job --from 2026-11 --to 2026-11 --metric calls",
        "switchgear usage --by provider --bucket day --from 2026-11 --csv",
    ),
)
@click.option(
    "--metric",
    type=click.Choice(get_args(Metric)),
    default="cost",
    show_default=True,
    help="What rows are sorted by, the most first, where time is not cut.",
)
@click.option(
    "--by",
    metavar="NAMES",
    default="service",
    show_default=True,
    help="Any of service, provider, model, layer, key, status, job, run, tag.NAME, with commas; none: one group.",
)
@click.option(
    "--bucket", type=click.Choice(get_args(Bucket)), default="none", show_default=True, help="How time is cut."
)
@click.option("--from", "since", metavar="WHEN", help="From this day, month or instant on; default: the first call.")
@click.option("--to", "until", metavar="WHEN", help="To the end of this day or month, or to before this instant.")
@click.option("--tz", metavar="ZONE", help="Time zone; default: reporting_timezone.")
@click.option("--service", metavar="NAME", help="Only calls to this service.")
@click.option("--model", metavar="NAME", help="Only calls of this model, as billed.")
@click.option("--layer", metavar="NAME", help="Only calls of this layer.")
@click.option("--key", metavar="NAME", help="Only calls with this key.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@config_option
@json_option
def command(config_path: Path | None, as_csv: bool, as_json: bool, **asked: str | None) -> None:  # noqa: FBT001 - click passes it by name
    """Show usage and cost over time and by group."""
    if as_csv and as_json:
        msg = "--json contradicts --csv; one of the two is enough."
        raise click.UsageError(msg)
    report = _report(config_path, asked)
    if as_json:
        from switchgear.insight.metrics import plain

        print_json(plain(report))
    elif as_csv:
        from switchgear.insight.sheets import usage_csv

        write_out(usage_csv(report), None)
    else:
        _print(report)


def _report(config_path: Path | None, asked: dict[str, Any]) -> UsageReport:
    from switchgear.insight.questions import read_groups, read_span
    from switchgear.insight.service_item import providers_of
    from switchgear.insight.usage import UsageQuestion, usage
    from switchgear.ledger.usage_views import UsageFilter

    settings = read(config_path)
    with answerable():
        zone = zone_of(settings, asked["tz"])
        question = UsageQuestion(
            by=read_groups(asked["by"]),
            bucket=asked["bucket"],
            span=read_span(asked["since"], asked["until"], zone),
            metric=asked["metric"],
            where=UsageFilter(**{name: asked[name] for name in ("service", "model", "layer", "key")}),
        )
        with open_ledger(settings) as ledger:
            report = usage(ledger.reader.usage, question, zone=zone, providers=providers_of(settings.config))
    if question.bucket != "none":
        return report
    return msgspec.structs.replace(report, items=tuple(sorted(report.items, key=lambda item: item.value, reverse=True)))


def _print(report: UsageReport) -> None:
    if not report.total.calls:
        say("No calls match.")
        return
    timed = ("FROM",) if report.bucket != "none" else ()
    print_table((*timed, *(name.upper() for name in report.by), *_NUMBERS), _lines(report))
    if report.not_kept:
        say(f"{report.not_kept:,} calls are no longer kept one by one: they are in the total, but in no line above it.")


def _lines(report: UsageReport) -> Iterator[tuple[str, ...]]:
    for item in report.items:
        timed = () if item.label is None else (item.label,)
        yield (*timed, *map(text_of, item.group.values()), *_numbers(item))
    places = len(report.by) + (report.bucket != "none")
    if places:
        yield ("total", *("",) * (places - 1), *_numbers(report.total))


def _numbers(sums: UsageSums) -> tuple[str, ...]:
    return (
        f"{sums.calls:,}",
        f"{sums.failed:,}",
        tokens(sums.input_tokens),
        tokens(sums.cache_read_tokens),
        tokens(sums.output_tokens),
        tokens(sums.reasoning_tokens),
        format_usd(to_nano(sums.cost_usd)),
        f"{sums.unpriced:,}",
        f"{sums.estimated:,}",
    )
