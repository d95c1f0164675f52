"""A progress bar with rate and time left, on a terminal; silence anywhere else."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["meter"]


@contextmanager
def meter(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many more *unit* are done, of *total* (None: nobody knows)."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=click.get_current_context().color is False or None, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task(what, total=total, rate="")

        def advance(count: int) -> None:
            progress.advance(line, count)
            speed = progress.tasks[line].speed
            progress.update(line, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield advance
