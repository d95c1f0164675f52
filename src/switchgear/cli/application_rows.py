"""How the command line writes applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.output import Cell, print_facts, print_table, text_of
from switchgear.cli.words import usd

if TYPE_CHECKING:
    import datetime as dt
    from zoneinfo import ZoneInfo

    from jobsmith.applications import Application, Run
    from switchgear.cli.output import Tone

__all__ = ["day_of", "print_whole", "row_of"]

_TONES: Final[dict[str, Tone]] = {"applied": "ok", "interview": "ok", "offer": "ok", "rejected": "crit"}


def row_of(item: Application, zone: ZoneInfo) -> tuple[Cell | str, ...]:
    """Return its row in a list."""
    return (
        item.id,
        Cell(item.status, _TONES.get(item.status)),
        day_of(item.applied_at, zone),
        text_of(item.fit),
        _cost(item),
        text_of(item.title),
    )


def print_whole(item: Application, zone: ZoneInfo) -> None:
    """Print everything there is of it."""
    print_facts(
        (
            ("id", item.id),
            ("job", text_of(item.job)),
            ("role", text_of(item.role or None)),
            ("company", text_of(item.company or None)),
            ("place", text_of(item.place or None)),
            ("posting", text_of(item.url or None)),
            ("status", Cell(item.status, _TONES.get(item.status))),
            ("sent", day_of(item.applied_at, zone)),
            ("fit", text_of(item.fit)),
            ("cost", _cost(item)),
            *((f"file {text_of(file.name)}", text_of(file.path)) for file in item.files),
            *(
                (f"run {text_of(run.run)}", "unpriced" if run.cost_usd is None else usd(str(run.cost_usd)))
                for run in item.runs
            ),
        )
    )
    click.echo()
    rows = (
        (day_of(entry.at, zone), entry.status or entry.kind, text_of(entry.by), text_of(entry.text.replace("\n", "; ")))
        for entry in item.history
    )
    print_table(("WHEN", "WHAT", "BY", "NOTE"), rows)


def _cost(item: Application | Run) -> str:
    return "unpriced" if item.cost_usd is None else usd(format(item.cost_usd, "f"))


def day_of(at: dt.datetime | None, zone: ZoneInfo) -> str:
    """Return the day of *at* in *zone*; ``-`` for None."""
    return "-" if at is None else f"{at.astimezone(zone):%Y-%m-%d}"
