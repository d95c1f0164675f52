"""``switchgear drill``."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from switchgear.cli.answers import write_out
from switchgear.cli.base import Command
from switchgear.cli.drill_against import drill_against, only_live
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import Cell, json_option, print_json, print_table, say
from switchgear.cli.serve import require_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.cli.output import Tone
    from switchgear.drills.catalogue import Scenario
    from switchgear.drills.verdict import Report, Status

__all__ = ["command"]

_WORDS: dict[Status, Cell] = {
    "passed": Cell("passed", "ok"),
    "failed": Cell("FAILED", "crit"),
    "not_run": Cell("not run", "idle"),
}


@click.command(
    cls=Command,
    name="drill",
    examples=(
        "switchgear drill                            every scenario, some minutes",
        "switchgear drill --quick --report drill.html",
        "switchgear drill outage storm --json",
        "switchgear drill --list                     what there is, and what each one checks",
        "switchgear drill --against http://127.0.0.1:8400 --service drill",
    ),
)
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option("--list", "listing", is_flag=True, help="List the scenarios and run none.")
@click.option("--skip", "skipped", multiple=True, metavar="SCENARIO", help="Leave this one out; may be repeated.")
@click.option("--quick", is_flag=True, help="Fewer calls and shorter waits: all of it within a minute or so.")
@click.option("--report", "out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write HTML.")
@click.option("--against", metavar="URL", help="Drill a gateway that runs on this machine.")
@click.option("--service", default="drill", show_default=True, help="With --against: its service to drill.")
@click.option("--for", "seconds", type=click.IntRange(1, 600), default=60, help="With --against: seconds; 60.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - click passes each option by name
    names: tuple[str, ...],
    listing: bool,  # noqa: FBT001 - click passes them by name
    skipped: tuple[str, ...],
    quick: bool,  # noqa: FBT001 - as above
    out: Path | None,
    against: str | None,
    service: str,
    seconds: int,
    as_json: bool,  # noqa: FBT001 - as above
) -> int:
    """Prove it on this machine: faults on demand, and figures against thresholds.

    Each scenario starts a provider with faults on demand and a real gateway before it, on loopback and in a
    folder of its own that goes afterwards; your configuration and ledger are not touched. Exits with 0 only if
    every scenario ran and passed, else with 3.

    With --against nothing is started but a provider where calls of one service go, which must be an address of
    this machine without key and fallback; only the drill's own calls fail. What needs a server of its own is
    left out. Where the gateway asks for a Switchgear key, SWITCHGEAR_KEY has it.
    """
    chosen = _chosen(names, skipped)
    if against is not None:
        chosen = only_live(chosen, named=bool(names))
    if listing:
        _list(chosen, as_json=as_json)
        return OK
    require_server()
    from switchgear.cli.drill_progress import watch
    from switchgear.clock import SystemClock
    from switchgear.drills.running import report_of

    clock = SystemClock()
    began = clock.now()
    if against is None:
        results = watch(chosen, clock=clock, quick=quick)
    else:
        results = drill_against(against, service, chosen, clock=clock, seconds=seconds)
    with _without_proxy():
        report = report_of(results, at=began, quick=quick, against=against)
    if out is not None:
        from switchgear.drills.report_html import report_html

        write_out(report_html(report, {one.name: one.promise for one in chosen}), out)
    if as_json:
        print_json(report.to_dict())
    else:
        _print(report)
    if missing := [result.scenario for result in report.results if result.status == "not_run"]:
        options = " ".join(f"--skip {name}" for name in missing)
        say(f"What was not run has not passed; {options} leaves it out on purpose.")
    return OK if report.passed else CHECK_FAILED


@contextmanager
def _without_proxy() -> Iterator[None]:
    """Let no proxy of the environment stand before a provider that is on this machine; processes inherit it."""
    from switchgear.drills.process import NO_PROXY

    before = {name: os.environ.get(name) for name in NO_PROXY}
    os.environ.update(NO_PROXY)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _chosen(names: Sequence[str], skipped: Sequence[str]) -> list[Scenario]:
    from switchgear.drills.catalogue import SCENARIOS

    for name in (*names, *skipped):
        if name not in SCENARIOS:
            refuse_unknown("scenario", name, SCENARIOS)
    chosen = [one for one in SCENARIOS.values() if one.name in (names or SCENARIOS) and one.name not in skipped]
    if not chosen:
        msg = "--skip leaves no scenario to run."
        raise click.UsageError(msg)
    return chosen


def _list(scenarios: Sequence[Scenario], *, as_json: bool) -> None:
    if as_json:
        print_json({"items": [{"name": one.name, "title": one.title, "promise": one.promise} for one in scenarios]})
        return
    print_table(("SCENARIO", "WHAT HAPPENS", "WHAT MUST COME OF IT"), [(o.name, o.title, o.promise) for o in scenarios])


def _print(report: Report) -> None:
    rows: list[Sequence[Cell | str]] = []
    for result in report.results:
        rows.append(
            (result.scenario, _WORDS[result.status], result.reason or result.title, "", f"{result.seconds:.1f} s")
        )
        for check in result.checks:
            tone: Tone = "ok" if check.passed else "crit"
            rows.append(("", Cell("ok" if check.passed else "MISSED", tone), check.what, check.figure, check.threshold))
    print_table(("SCENARIO", "RESULT", "WHAT", "FIGURE", "THRESHOLD"), rows)
    click.echo()
    for status, cell in _WORDS.items():
        if report.count(status):
            click.echo(f"{report.count(status)} {cell.text.lower()}")
