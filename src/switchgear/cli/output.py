"""How commands print: data on standard output, messages on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Cell", "Tone", "json_option", "paint", "print_facts", "print_json", "print_table", "say", "text_of"]

Tone = Literal["ok", "warn", "crit", "probe", "idle"]
"""What a colour means; it never stands alone, the word beside it says the same."""

_COLOURS: Final[dict[Tone, str]] = {
    "ok": "green",
    "warn": "yellow",
    "crit": "red",
    "probe": "magenta",
    "idle": "bright_black",
}

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Cell(NamedTuple):
    """A word with a tone, for tables."""

    text: str
    tone: Tone | None = None


def paint(text: str, tone: Tone | None) -> str:
    """Return *text* in the colour of *tone*; click takes it out again where no colours are wanted."""
    return text if tone is None else click.style(text, fg=_COLOURS[tone], bold=True if tone == "crit" else None)


def text_of(value: object) -> str:
    """Return *value* for a terminal: ``-`` for None, and nothing that a terminal would take for a command."""
    if value is None:
        return "-"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value))


def say(message: str) -> None:
    """Print a message for people; it is no data."""
    click.echo(message, err=True)


def print_json(value: object) -> None:
    """Print *value* as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[Cell | str]]) -> None:
    """Print *rows* under *header* in aligned columns, the last one ragged."""
    lines = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[at].text) for line in lines) for at in range(len(header))]
    widths[-1] = 0
    for line in lines:
        padded = (paint(f"{cell.text:<{width}}", cell.tone) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_facts(facts: Iterable[tuple[str, Cell | str]]) -> None:
    """Print names and values, one a line, the values aligned."""
    pairs = list(facts)
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        cell = value if isinstance(value, Cell) else Cell(value)
        click.echo(f"{name:<{width}}  {paint(cell.text, cell.tone)}".rstrip())
