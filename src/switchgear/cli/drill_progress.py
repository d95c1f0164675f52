"""The progress of drills: a live line on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from switchgear.cli.output import say, text_of
from switchgear.drills.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.clock import Clock
    from switchgear.drills.catalogue import Scenario
    from switchgear.drills.verdict import Result

__all__ = ["watch"]


def watch(scenarios: Sequence[Scenario], *, clock: Clock, quick: bool) -> Iterator[Result]:
    """Run *scenarios*, show on standard error how it goes, and yield what each came to."""
    is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return (_live if is_live else _plain)(scenarios, clock, quick=quick)


def _plain(scenarios: Sequence[Scenario], clock: Clock, *, quick: bool) -> Iterator[Result]:
    for number, scenario in enumerate(scenarios, 1):
        say(f"[{number}/{len(scenarios)}] {scenario.name}: {scenario.title}")
        result = run(scenario, clock=clock, quick=quick, say=lambda _: None)
        say(_told(result))
        yield result


def _live(scenarios: Sequence[Scenario], clock: Clock, *, quick: bool) -> Iterator[Result]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    console = Console(stderr=True, no_color=click.get_current_context().color is False or None, highlight=False)
    text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (SpinnerColumn(), text, BarColumn(12), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        line = progress.add_task("", total=len(scenarios))
        for scenario in scenarios:
            progress.update(line, description=scenario.title)

            def step(what: str, title: str = scenario.title) -> None:
                progress.update(line, description=f"{title}: {what}")

            result = run(scenario, clock=clock, quick=quick, say=step)
            progress.advance(line)
            console.print(_told(result), markup=False)
            yield result


def _told(result: Result) -> str:
    words = {"passed": "passed", "failed": "FAILED", "not_run": "not run"}
    missed = [f"{check.what}: {check.figure}, not {check.threshold}" for check in result.checks if not check.passed]
    why = "; ".join(text_of(reason) for reason in (result.reason, *missed) if reason is not None)
    return f"{result.scenario}: {words[result.status]} in {result.seconds:.1f} s{f' ({why})' if why else ''}"
