"""A run as it goes: one line a layer on a terminal, one line an event anywhere else; and how it ended."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from switchgear.cli.fetch import fetch
from switchgear.cli.output import say, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.cli.output import Tone
    from switchgear.clock import Clock

__all__ = ["TONES", "WORDS", "follow", "money", "resting"]

TONES: Final[dict[str, Tone]] = {
    "queued": "idle",
    "waiting": "idle",
    "running": "probe",
    "paused": "warn",
    "skipped": "warn",
    "ok": "ok",
    "failed": "crit",
    "cancelled": "idle",
}
WORDS: Final = {"ok": "done", "waiting": "not begun"}
_LOOK: Final = 0.4
_RESTS: Final = frozenset({"ok", "failed", "cancelled", "paused"})


def money(amount: str | None) -> str:
    """Return an amount as the pages write it."""
    from switchgear.money import format_usd, to_nano

    return "-" if amount is None else format_usd(to_nano(amount))


def resting(run: dict[str, Any]) -> bool:
    """Tell whether nothing happens to *run* now: it has ended, or it is paused."""
    return run["status"] in _RESTS


def follow(server: str, run: str, clock: Clock) -> dict[str, Any]:
    """Show how *run* goes until it rests, and return it as it is then."""
    is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return _live(server, run, clock) if is_live else _plain(server, run, clock)


def _plain(server: str, run: str, clock: Clock) -> dict[str, Any]:
    after = 0
    for found in _looks(server, run, clock):
        while True:
            page = fetch(server, f"/api/runs/{quote(run, safe='')}/log?after={after}")
            for line in page["items"]:
                layer = f"{text_of(line['layer'])}: " if line["layer"] and line["kind"] == "log" else ""
                say(f"{line['at'][11:19]} {layer}{text_of(line['text'])}")
            after = page["next"]
            if not page["items"]:
                break
        last = found
    return last


def _live(server: str, run: str, clock: Clock) -> dict[str, Any]:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, no_color=click.get_current_context().color is False or None, highlight=False)
    with Live(console=console, refresh_per_second=8) as screen:
        for found in _looks(server, run, clock):
            screen.update(_screen(found))
            last = found
    return last


def _looks(server: str, run: str, clock: Clock) -> Iterator[dict[str, Any]]:
    while True:
        found: dict[str, Any] = fetch(server, f"/api/runs/{quote(run, safe='')}")
        yield found
        if resting(found):
            return
        clock.sleep(_LOOK)


def _screen(run: dict[str, Any]) -> Any:  # noqa: ANN401 - rich's own, imported where it is used
    from rich.spinner import Spinner
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    styles = {"ok": "green", "warn": "yellow", "crit": "bold red", "probe": "magenta", "idle": "bright_black"}
    for layer in run["layers"]:
        tone = TONES[layer["status"]]
        mark = Spinner("dots") if layer["status"] == "running" else Text({"ok": "●", "crit": "■"}.get(tone, "○"), tone)
        if isinstance(mark, Text):
            mark.stylize(styles[tone])
        status = Text(WORDS.get(layer["status"], layer["status"]), styles[tone])
        table.add_row(mark, text_of(layer["layer"]), status, _progress(layer), _cost(layer))
    total = f"{run['layers_done']}" + ("" if run["layers_total"] is None else f" of {run['layers_total']}")
    table.add_row("", Text("run"), run["status"], f"{total} layers", _cost(run))
    return table


def _progress(layer: dict[str, Any]) -> str:
    if layer["done"] is None:
        return text_of(layer["reason"])[:80] if layer["reason"] else ""
    whole = "" if layer["total"] is None else f"/{layer['total']:g}"
    return f"{layer['done']:g}{whole} {text_of(layer['note']) if layer['note'] else ''}".strip()


def _cost(part: dict[str, Any]) -> str:
    return money(part["cost_usd"]) + (f" / {money(part['budget_usd'])}" if part["budget_usd"] else "")
