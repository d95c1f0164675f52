"""``switchgear runs profile``: where the time and the money of a run went, by layer and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli.base import Command
from switchgear.cli.output import json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.words import span, tokens, usd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["profile"]

_HEADER: Final = ("LAYER", "MODEL", "CALLS", "COST", "TIME", "P50", "P95", "WAITING", "RETRYING", "TOKENS")


@click.command(
    "profile",
    cls=Command,
    examples=("switchgear runs profile 2026-11-24-acme-be7", "switchgear runs profile --job acme-42 --json"),
)
@click.argument("run", metavar="RUN", required=False)
@click.option("--job", metavar="NAME", help="Only calls on behalf of this job.")
@click.option("--layer", metavar="NAME", help="Only calls of this layer.")
@config_option
@json_option
def profile(
    run: str | None,
    job: str | None,
    layer: str | None,
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Show where time and money went, by layer and model; without RUN, of the newest calls.

    WAITING is the share of the time at the gate, RETRYING that of attempts that were made again.
    """
    from switchgear.insight.metrics import plain
    from switchgear.insight.profile import read_profile
    from switchgear.ledger.views import CallFilter

    settings = read(config_path)
    with open_ledger(settings) as ledger:
        found = plain(read_profile(ledger.reader, CallFilter(run=run, job=job, layer=layer)))
    if as_json:
        print_json(found)
        return
    if not found["total"]["calls"]:
        say("The ledger has no such calls." if run is None else f"The ledger has no call of a run {run!r}.")
        return
    print_table(_HEADER, [*map(_row, found["items"]), _row(found["total"] | {"layer": "all"})])
    if not found["complete"]:
        say("There are more attempts: these are the newest.")


def _row(share: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        text_of(share["layer"]),
        text_of(share["model"]),
        f"{share['calls']:,}",
        usd(share["cost_usd"]) + (f" + {share['unpriced']} unpriced" if share["unpriced"] else ""),
        span(share["time_ms"] / 1000),
        span(share["p50_ms"] / 1000),
        span(share["p95_ms"] / 1000),
        f"{share['waiting_percent']} %",
        f"{share['retrying_percent']} %",
        f"{tokens(share['input_tokens'])}+{tokens(share['output_tokens'])}",
    )
