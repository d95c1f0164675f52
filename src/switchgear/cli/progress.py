"""The demo's progress: a live line on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from switchgear.drills.demo.clients import Sent
    from switchgear.drills.demo.traffic import Act

__all__ = ["watch"]

_RULES: Final = {
    "budget": "a budget",
    "breaker": "the breaker",
    "rate_limit": "a rate limit",
    "unpriced": "the want of a price",
}


def watch(traffic: Iterable[tuple[Act, Sent]], acts: Sequence[Act]) -> list[Sent]:
    """Run *traffic*, show on standard error how it goes, and return all that was sent."""
    is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return list(_live(traffic, acts) if is_live else _plain(traffic))


def _plain(traffic: Iterable[tuple[Act, Sent]]) -> Iterator[Sent]:
    for act, pairs in groupby(traffic, key=itemgetter(0)):
        sent = [one for _, one in pairs]
        yield from sent
        say(f"{act.title}: {_told(sent)}")


def _live(traffic: Iterable[tuple[Act, Sent]], acts: Sequence[Act]) -> Iterator[Sent]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    console = Console(stderr=True, no_color=click.get_current_context().color is False or None, highlight=False)
    text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    rate, left = TextColumn("{task.fields[rate]}"), TimeRemainingColumn(compact=True)
    columns = (SpinnerColumn(), text, BarColumn(12), MofNCompleteColumn(), rate, TextColumn("ETA"), left)
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        line = progress.add_task("", total=sum(act.calls for act in acts), rate="")
        for act, pairs in groupby(traffic, key=itemgetter(0)):
            progress.update(line, description=act.title)
            sent: list[Sent] = []
            for _, one in pairs:
                sent.append(one)
                progress.advance(line)
                speed = progress.tasks[line].speed
                progress.update(line, rate=f"{speed:.1f} calls/s" if speed else "")
                yield one
            console.print(f"{act.title}: {_told(sent)}", markup=False)


def _told(sent: Sequence[Sent]) -> str:
    """Return the counts of *sent* in words, leaving out what did not happen."""
    refused = Counter(one.refused_by for one in sent if one.refused_by is not None)
    failed = sum(one.failed for one in sent)
    parts = [f"{len(sent) - failed - refused.total()} ok"]
    if failed:
        parts.append(f"{failed} failed")
    for reason, count in refused.items():
        parts.append(f"{count} skipped by a budget" if reason == "skip" else f"{count} refused by {_RULES[reason]}")
    return ", ".join(parts)
