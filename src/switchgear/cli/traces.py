"""``switchgear traces``: the calls of one trace, side by side in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli.base import Group
from switchgear.cli.output import Cell, json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.words import outcome_cell, span, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["command"]

_HEADER: Final = ("LAYER", "IN TIME", "TOOK", "SERVICE, MODEL", "TOKENS", "COST", "OUTCOME")
_WIDTH: Final = 24


@click.group(cls=Group, name="traces", examples=("switchgear traces show 4bf92f3577b34da6a3ce929d0e0e4736",))
def command() -> None:
    """Show the calls of one trace in time."""


@command.command("show", examples=("switchgear traces show 4bf92f3577b34da6a3ce929d0e0e4736 --json",))
@click.argument("trace_id", metavar="ID")
@config_option
@json_option
def show(trace_id: str, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show the calls of a trace, or of a run by its name, in time.

    Dots are the wait at the gate, # is the provider, x a refusal.
    """
    from switchgear.clock import SystemClock
    from switchgear.insight.metrics import plain
    from switchgear.insight.trace import find_trace

    settings = read(config_path)
    with open_ledger(settings) as ledger:
        trace = find_trace(ledger.reader, trace_id, now=SystemClock().moment().wall)
    if trace is None:
        msg = f"the ledger has no call of a trace {trace_id!r}; `switchgear calls show ID` tells a call's trace"
        raise click.ClickException(msg)
    shown = plain(trace)
    if as_json:
        print_json(shown)
        return
    click.echo("  ".join(_summary(shown)))
    print_table(_HEADER, (_row(call, shown["duration_ms"] or 1.0) for call in shown["items"]))
    if not shown["complete"]:
        say("There are more attempts: these are the newest, and the sums are theirs.")


def _summary(trace: Mapping[str, Any]) -> list[str]:
    found = [f"trace {text_of(trace['id'])}", *(f"run {text_of(run)}" for run in trace["runs"])]
    found += [span(trace["duration_ms"] / 1000), ("~" if trace["estimated"] else "") + usd(trace["cost_usd"])]
    found.append(f"{trace['calls']:,} call{'' if trace['calls'] == 1 else 's'}")
    found += [f"{trace[name]:,} {name}" for name in ("failed", "refused", "unpriced") if trace[name]]
    return found


def _row(call: Mapping[str, Any], whole: float) -> tuple[Cell | str, ...]:
    last = call["attempts"][-1]
    refused = call["status"] == "refused"
    cost = "-" if call["status"] in {"refused", "reserved"} else "unpriced"
    if not refused and call["cost_usd"] is not None:
        cost = ("~" if call["estimated"] else "") + usd(call["cost_usd"])
    used = f"{tokens(call['input_tokens'])}+{tokens(call['output_tokens'])}"
    return (
        text_of(call["layer"]),
        f"|{_bar(call['attempts'], whole)}|",
        "-" if refused or last["took_ms"] is None else span(last["took_ms"] / 1000),
        f"{text_of(call['service'])} {text_of(call['model'])}",
        used if call["input_tokens"] or call["output_tokens"] else "-",
        cost,
        _outcome(call),
    )


def _outcome(call: Mapping[str, Any]) -> Cell | str:
    cell = outcome_cell(call["status"], call["refused_by"])
    waited = sum(attempt["waited_ms"] for attempt in call["attempts"])
    notes = [f"{len(call['attempts'])} attempts"] if len(call["attempts"]) > 1 else []
    notes += [f"waited {span(waited / 1000)}"] if waited >= 1 else []
    return cell._replace(text=f"{cell.text} ({', '.join(notes)})") if notes else cell


def _bar(attempts: list[Mapping[str, Any]], whole: float) -> str:
    signs = [" "] * _WIDTH

    def fill(start: float, length: float, sign: str) -> None:
        first = min(int(start / whole * _WIDTH), _WIDTH - 1)
        last = min(max(int((start + length) / whole * _WIDTH), first + 1), _WIDTH)
        signs[first:last] = sign * (last - first)

    for one in attempts:
        begun = one["start_ms"] + one["waited_ms"]
        if one["waited_ms"]:
            fill(one["start_ms"], one["waited_ms"], ".")
        took = one["took_ms"] if one["took_ms"] is not None else whole - begun
        fill(begun, took, "x" if one["status"] == "refused" else "#")
    return "".join(signs)
