"""``switchgear backtest``: what other limits, breakers and budgets would have done."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.meter import meter
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.when import from_option, span_between, to_option
from switchgear.cli.words import span as in_words
from switchgear.clock import MICROS
from switchgear.money import format_usd, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchgear.config.model import Config
    from switchgear.insight.backtest import WhatIf
    from switchgear.insight.backtest_report import BacktestReport, Side
    from switchgear.insight.questions import Span
    from switchgear.ledger.recorded import Recorded

    _Calls = tuple[int | None, Iterable[Recorded]]

__all__ = ["command"]

_JOBS: Final = 10
_REASONS: Final = {
    "rate_limit": "limit",
    "breaker": "breaker",
    "budget": "budget",
    "skip": "budget (skip)",
    "unpriced": "no price",
}


@click.command(
    "backtest",
    cls=Command,
    examples=(
        "switchgear backtest --budgets new.toml --from 2026-11 --to 2026-11",
        "switchgear backtest --budgets new.toml --trace calls.csv --service openai --model gpt-4o-mini",
    ),
)
@click.option(
    "--budgets",
    "other",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to try: a configuration that is laid over the one in force.",
)
@from_option
@to_option
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A CSV of calls instead of the ledger; see docs/ledger.md.",
)
@click.option("--service", metavar="NAME", help="With --trace: the service that the calls are for.")
@click.option("--model", metavar="NAME", help="With --trace: the model whose price they have.")
@config_option
@json_option
def command(
    other: Path,
    since: str | None,
    until: str | None,
    trace: Path | None,
    service: str | None,
    model: str | None,
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Replay recorded calls through other limits, breakers and budgets.

    The rules decide as they do at the gate, in virtual time: who would have been refused, who would have
    waited, what would have been saved, and which jobs would have felt it. Nothing is changed.
    """
    from switchgear.config import load_over
    from switchgear.insight.backtest import Backtest
    from switchgear.insight.backtest_trace import BadTrace

    if trace is None and (service is not None or model is not None):
        msg = "--service and --model go with --trace; the ledger knows what its calls were for."
        raise click.UsageError(msg)
    settings = read(config_path)
    config = load_over(other, settings.path, environ=os.environ)
    span = span_between(since, until, ZoneInfo(config.server.reporting_timezone))
    rules = _rules(config)
    try:
        if trace is None:
            calls = _of_ledger(settings.config.ledger.url, rules, span)
            begin = span.since
        else:
            calls = _of_trace(trace, _known(service, config), model, config, span)
            begin = None
        with calls as (total, found), meter("replaying", total, "calls") as advance:
            report = Backtest(rules, since=begin).run(found, progress=advance)
    except BadTrace as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json(_json(report))
    else:
        _print(report, ZoneInfo(config.server.reporting_timezone))


def _rules(config: Config) -> WhatIf:
    from switchgear.governor.rules import budget_rules, service_rules
    from switchgear.insight.backtest import WhatIf

    return WhatIf(
        services=service_rules(config),
        budgets=budget_rules(config),
        max_wait_us={name: service.max_wait for name, service in config.services.items()},
        refuse_unpriced=frozenset(
            name for name, service in config.services.items() if service.unpriced_policy == "refuse"
        ),
    )


@contextmanager
def _of_ledger(url: str, rules: WhatIf, span: Span) -> Iterator[_Calls]:
    from switchgear.insight.backtest_past import past_needed
    from switchgear.ledger import access
    from switchgear.ledger.recorded import count_recorded, recorded

    since = None if span.since is None else past_needed(rules.budgets, span.since)
    with access.looking(url) as engine:
        total = count_recorded(engine, since=since, until=span.until)
        yield total, recorded(engine, since=since, until=span.until)


@contextmanager
def _of_trace(file: Path, service: str, model: str | None, config: Config, span: Span) -> Iterator[_Calls]:
    from switchgear.governor.opening import price_book
    from switchgear.insight.backtest_trace import read_trace

    yield None, read_trace(file, service=service, model=model, book=price_book(config), span=span)


def _known(service: str | None, config: Config) -> str:
    if service is None:
        msg = f"--trace needs --service: one of {', '.join(sorted(config.services))}."
        raise click.UsageError(msg)
    if service not in config.services:
        refuse_unknown("service", service, config.services)
    return service


def _print(report: BacktestReport, zone: ZoneInfo) -> None:
    for name, count in report.unknown.items():
        say(f"{count:,} attempts of {text_of(name)} were left out: the configuration has no such service.")
    if report.since is None or report.until is None:
        say("There are no calls to replay.")
        return
    first, last = (dt.datetime.fromtimestamp(at // MICROS, zone) for at in (report.since, report.until))
    click.echo(f"{report.attempts:,} attempts from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} {zone.key}")
    click.echo()
    print_table(("", "IN FACT", "REPLAYED"), _sides(report))
    click.echo()
    print_facts(_effects(report))
    if report.rules:
        click.echo()
        print_table(("RULE", "KIND", "REFUSES", "SAVES", "DELAYS", "FIRST NO"), _rule_rows(report, zone))
    if report.jobs:
        click.echo()
        print_table(("JOB", "CALLS", "REFUSED", "DELAYED", "WAITS LONGER", "SAVED"), _job_rows(report))
        if len(report.jobs) > _JOBS:
            say(f"... and {len(report.jobs) - _JOBS:,} jobs more; --json shows all.")


def _sides(report: BacktestReport) -> Iterator[tuple[Cell | str, ...]]:
    pair = (report.happened, report.replayed)
    yield "went out", *(f"{side.went_out:,}" for side in pair)
    yield "refused", *(f"{sum(side.refused.values()):,}" for side in pair)
    for reason, word in _REASONS.items():
        if any(reason in side.refused for side in pair):
            counts = [dict(side.refused).get(reason, 0) for side in pair]  # type: ignore[call-overload]  # keys are reasons
            yield f"  by {word}", *(f"{count:,}" for count in counts)
    yield "waited", *(f"{side.waited:,}" for side in pair)
    yield "  longest", *(in_words(side.longest_us / MICROS) if side.waited else "-" for side in pair)
    yield "cost", *(_cost(side) for side in pair)


def _cost(side: Side) -> str:
    unpriced = f" + {side.unpriced:,} unpriced" if side.unpriced else ""
    return f"{'~' if side.estimated else ''}{format_usd(side.cost)}{unpriced}"


def _effects(report: BacktestReport) -> Iterator[tuple[str, Cell | str]]:
    more = f", and {report.not_made:,} further attempts not made" if report.not_made else ""
    yield "would be refused", f"{report.newly_refused:,}{more}; saves {format_usd(report.saved)}"
    if report.newly_let_out:
        yield "would go out", f"{report.newly_let_out:,} that were refused in fact (cost estimated)"
    mean = in_words(report.longer_us / report.later / MICROS) if report.later else "-"
    yield "would wait longer", f"{report.later:,}, {mean} each on average"


def _rule_rows(report: BacktestReport, zone: ZoneInfo) -> Iterator[tuple[Cell | str, ...]]:
    for one in report.rules:
        at = None if one.first_at is None else dt.datetime.fromtimestamp(one.first_at // MICROS, zone)
        yield (
            text_of(one.rule if one.service is None or one.rule == one.service else f"{one.service} {one.rule}"),
            _REASONS[one.reason],
            f"{one.refused:,}",
            format_usd(one.saved),
            f"{one.delayed:,}",
            "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S}",
        )


def _job_rows(report: BacktestReport) -> Iterator[tuple[Cell | str, ...]]:
    for one in report.jobs[:_JOBS]:
        yield (
            text_of(one.job),
            f"{one.calls:,}",
            f"{one.refused:,}",
            f"{one.delayed:,}",
            in_words(one.longer_us / MICROS) if one.longer_us else "-",
            format_usd(one.saved),
        )


def _json(report: BacktestReport) -> dict[str, Any]:
    return {
        "from": _instant(report.since),
        "to": _instant(report.until),
        "attempts": report.attempts,
        "in_fact": _side(report.happened),
        "replayed": _side(report.replayed),
        "newly_refused": report.newly_refused,
        "not_made": report.not_made,
        "saved_usd": _usd(report.saved),
        "newly_let_out": report.newly_let_out,
        "later": report.later,
        "longer_ms": report.longer_us / 1000,
        "rules": [
            {
                "reason": one.reason,
                "service": one.service,
                "rule": one.rule,
                "refused": one.refused,
                "saved_usd": _usd(one.saved),
                "delayed": one.delayed,
                "first_at": _instant(one.first_at),
            }
            for one in report.rules
        ],
        "jobs": [
            {
                "job": one.job,
                "calls": one.calls,
                "refused": one.refused,
                "delayed": one.delayed,
                "longer_ms": one.longer_us / 1000,
                "saved_usd": _usd(one.saved),
            }
            for one in report.jobs
        ],
        "unknown": report.unknown,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "went_out": side.went_out,
        "refused": side.refused,
        "waited": side.waited,
        "waited_ms": side.waited_us / 1000,
        "longest_ms": side.longest_us / 1000,
        "cost_usd": _usd(side.cost),
        "estimated_usd": _usd(side.estimated),
        "unpriced": side.unpriced,
    }


def _usd(nano: int) -> str:
    return f"{to_usd(nano):f}"


def _instant(micros: int | None) -> str | None:
    return (
        None
        if micros is None
        else dt.datetime.fromtimestamp(micros / MICROS, dt.UTC).isoformat().replace("+00:00", "Z")
    )
