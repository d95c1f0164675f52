"""``switchgear runs``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import click

from switchgear.cli.base import Group
from switchgear.cli.consent import operator
from switchgear.cli.errors import CHECK_FAILED, OK, REFUSED
from switchgear.cli.fetch import fetch, send
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.run_follow import TONES, WORDS, follow, money, resting
from switchgear.cli.runs_profile import profile
from switchgear.cli.settings import config_option, read, url_option
from switchgear.cli.source import server_url

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["command"]

_STATUSES: Final = ("queued", "running", "paused", "ok", "failed", "cancelled")
_LARGEST: Final = 4 * 1024 * 1024


@click.group(
    cls=Group,
    name="runs",
    examples=(
        "switchgear runs start apply --input order.json --job acme-42 --budget 0.50",
        "switchgear runs list --status paused",
        "switchgear runs resume RUN",
    ),
)
def command() -> None:
    """Start runs of pipelines, and look after them.

    A running server is asked: it runs the pipelines under [runner] in its configuration.
    """


command.add_command(profile)


@command.command(
    "start", examples=("switchgear runs start apply --input order.json", "... | switchgear runs start apply -i -")
)
@click.argument("pipeline")
@click.option("-i", "--input", "given", metavar="FILE", help="The arguments by name, as JSON; - is standard input.")
@click.option("--job", help="What it is done for.")
@click.option("--budget", metavar="USD", help="What its calls may cost.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher ones go first.")
@click.option("--name", metavar="RUN", help="The run's name; a second start of that name is refused.")
@click.option("--detach", is_flag=True, help="Print its name and do not wait for it.")
@config_option
@url_option
@json_option
def start(  # noqa: PLR0913, PLR0917 - one for each option, passed by name
    pipeline: str,
    given: str | None,
    job: str | None,
    budget: str | None,
    priority: int,
    name: str | None,
    detach: bool,  # noqa: FBT001 - click passes it by name
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> int:
    """Start a run of PIPELINE, and show how it goes until it ends or is paused.

    Exit code 3: it failed or was cancelled; 5: it is paused.
    """
    server = server_url(read(config_path), url)
    asked = {"job": job, "budget_usd": budget, "priority": priority, "run": name}
    body = {"pipeline": pipeline, "input": _input(given), **asked}
    run = send(server, "/api/runs", body)
    _say_estimate(run)
    if detach:
        if as_json:
            print_json(run)
        else:
            click.echo(run["run"])
        return OK
    return _watch(server, run["run"], as_json=as_json)


@command.command("list", examples=("switchgear runs list --pipeline apply --status failed",))
@click.option("--status", type=click.Choice(_STATUSES), help="Only those in this state.")
@click.option("--pipeline", help="Only those of this pipeline.")
@click.option("--job", help="Only those for this job.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many.")
@click.option("--after", metavar="CURSOR", help="The next of the page before.")
@config_option
@url_option
@json_option
def list_runs(
    status: str | None,
    pipeline: str | None,
    job: str | None,
    limit: int,
    after: str | None,
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """List runs, newest first."""
    asked = {"status": status, "pipeline": pipeline, "job": job, "limit": limit, "after": after}
    query = urlencode({key: value for key, value in asked.items() if value is not None})
    found = fetch(server_url(read(config_path), url), f"/api/runs?{query}")
    if as_json:
        print_json(found)
        return
    if found["items"]:
        print_table(("RUN", "PIPELINE", "STATUS", "LAYERS", "SUBMITTED", "COST", "WHY"), map(_row, found["items"]))
    else:
        say(
            "No run matches." if status or pipeline or job else "No runs yet. Start one: switchgear runs start PIPELINE"
        )
    if found["next"]:
        say(f"More: --after {found['next']}")


@command.command("show", examples=("switchgear runs show 2026-11-24-acme-42-k3v9x2mp",))
@click.argument("run")
@config_option
@url_option
@json_option
def show(run: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show one run with its layers and artefacts."""
    found = fetch(server_url(read(config_path), url), _path(run))
    if as_json:
        print_json(found)
        return
    print_facts(_facts(found))
    if found["layers"]:
        click.echo()
        print_table(("LAYER", "STATUS", "PROGRESS", "TOOK", "CALLS", "COST", "WHY"), map(_layer_row, found["layers"]))
    for file in found["artefacts"]:
        say(f"{text_of(file['name'])}: {file['size']:,} bytes, of {text_of(file['layer'])}")
    _say_next(found)


@command.command("logs", examples=("switchgear runs logs RUN --follow",))
@click.argument("run")
@click.option("--after", type=click.IntRange(0), default=0, help="Lines above this number.")
@click.option("--follow", "goes_on", is_flag=True, help="Go on until the run ends or is paused.")
@config_option
@url_option
@json_option
def logs(run: str, after: int, goes_on: bool, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Print the log of a run."""
    from switchgear.clock import SystemClock

    server, clock = server_url(read(config_path), url), SystemClock()
    while True:
        rests = not goes_on or resting(fetch(server, _path(run)))
        page = fetch(server, f"{_path(run)}/log?after={after}")
        for line in page["items"]:
            words = f"{line['at'][:19]} {text_of(line['layer'])} {text_of(line['text'])}"
            click.echo(json.dumps(line) if as_json else words)
        after = page["next"]
        if not page["items"]:
            if rests:
                return
            clock.sleep(0.5)


@command.command("cancel", examples=("switchgear runs cancel RUN",))
@click.argument("run")
@config_option
@url_option
@json_option
def cancel(run: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Stop a run for good, in the middle of its calls where they are async."""
    _command(run, "cancel", config_path, url, as_json=as_json)


@command.command("pause", examples=("switchgear runs pause RUN",))
@click.argument("run")
@config_option
@url_option
@json_option
def pause(run: str, config_path: Path | None, url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Have a run wait before its next layer."""
    _command(run, "pause", config_path, url, as_json=as_json)


@command.command("resume", examples=("switchgear runs resume RUN", "switchgear runs resume RUN --follow"))
@click.argument("run")
@click.option("--follow", "goes_on", is_flag=True, help="Show how it goes.")
@config_option
@url_option
@json_option
def resume(run: str, goes_on: bool, config_path: Path | None, url: str | None, as_json: bool) -> int:  # noqa: FBT001 - click passes them by name
    """Let a run go on from where it stopped; finished layers are kept, and not paid again."""
    _command(run, "resume", config_path, url, as_json=as_json and not goes_on)
    return _watch(server_url(read(config_path), url), run, as_json=as_json) if goes_on else OK


@command.command("retry", examples=("switchgear runs retry RUN --layer letter",))
@click.argument("run")
@click.option("--layer", help="From this layer on; default: from the beginning.")
@click.option("--follow", "goes_on", is_flag=True, help="Show how it goes.")
@config_option
@url_option
@json_option
def retry(
    run: str,
    layer: str | None,
    goes_on: bool,  # noqa: FBT001 - click passes it by name
    config_path: Path | None,
    url: str | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> int:
    """Have a run redone from a layer on; what was before is kept, and not paid again."""
    _command(run, "retry", config_path, url, layer=layer, as_json=as_json and not goes_on)
    return _watch(server_url(read(config_path), url), run, as_json=as_json) if goes_on else OK


def _command(
    run: str, verb: str, config_path: Path | None, url: str | None, *, as_json: bool, layer: str | None = None
) -> None:
    found = send(server_url(read(config_path), url), f"{_path(run)}/{verb}", {"by": operator(), "layer": layer})
    if as_json:
        print_json(found)
    else:
        word = {"cancel": "is cancelled", "pause": "waits before its next layer"}.get(verb, "goes on")
        say(f"{text_of(run)} {word}.")


def _watch(server: str, run: str, *, as_json: bool) -> int:
    """Show how *run* goes; then what it came to, beside what was expected."""
    from switchgear.clock import SystemClock

    found = follow(server, run, SystemClock())
    if as_json:
        print_json(found)
    else:
        before = "" if found["estimate_usd"] is None else f", expected were {money(found['estimate_usd'])}"
        spent = f" of {money(found['budget_usd'])}" if found["budget_usd"] else ""
        word = WORDS.get(found["status"], found["status"])
        click.echo(f"{found['run']} {word}: {money(found['cost_usd'])}{spent}{before}")
    _say_next(found)
    return {"ok": OK, "paused": REFUSED}.get(found["status"], CHECK_FAILED)


def _say_estimate(run: dict[str, Any]) -> None:
    if run["estimate_usd"] is None:
        say("What it will cost is not known: no run of this pipeline has ended well yet.")
    else:
        say(f"Expected cost: {money(run['estimate_usd'])}, the median of earlier runs.")


def _say_next(run: dict[str, Any]) -> None:
    if run["status"] in {"paused", "failed", "cancelled"}:
        why = run["error"] or run["reason"]
        if why:
            say(text_of(why))
        say(f"Resume with: switchgear runs resume {run['run']}")


def _input(given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    try:
        text = sys.stdin.read(_LARGEST) if given == "-" else Path(given).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        msg = f"--input {given}: {error}"
        raise click.UsageError(msg) from None
    if not isinstance(found, dict):
        msg = f"--input {given}: not an object with the pipeline's arguments by name"
        raise click.UsageError(msg)
    return found


def _path(run: str) -> str:
    return f"/api/runs/{quote(run, safe='')}"


def _status(item: dict[str, Any]) -> Cell:
    return Cell(WORDS.get(item["status"], item["status"]), TONES[item["status"]])


def _took(item: dict[str, Any]) -> str:
    return "-" if item["duration_ms"] is None else f"{item['duration_ms'] / 1000:.1f} s"


def _layers(run: dict[str, Any]) -> str:
    return f"{run['layers_done']}" if run["layers_total"] is None else f"{run['layers_done']}/{run['layers_total']}"


def _row(run: dict[str, Any]) -> tuple[Cell | str, ...]:
    why = text_of(run["error"] or run["reason"] or "")[:80]
    at = run["submitted_at"][:16].replace("T", " ")
    return (text_of(run["run"]), text_of(run["pipeline"]), _status(run), _layers(run), at, money(run["cost_usd"]), why)


def _layer_row(layer: dict[str, Any]) -> tuple[Cell | str, ...]:
    done = "-"
    if layer["done"] is not None:
        done = f"{layer['done']:g}" + ("" if layer["total"] is None else f"/{layer['total']:g}")
    cost = money(layer["cost_usd"]) + (f" of {money(layer['budget_usd'])}" if layer["budget_usd"] else "")
    calls, why = str(layer["calls"]), text_of(layer["reason"] or "")
    return (text_of(layer["layer"]), _status(layer), done, _took(layer), calls, cost, why)


def _facts(run: dict[str, Any]) -> Iterator[tuple[str, Cell | str]]:
    yield "run", text_of(run["run"])
    yield "pipeline", text_of(run["pipeline"])
    yield "job", text_of(run["job"])
    yield "status", _status(run)
    yield "layers", _layers(run)
    yield "cost", money(run["cost_usd"]) + (f" of {money(run['budget_usd'])}" if run["budget_usd"] else "")
    yield "estimate", "not known" if run["estimate_usd"] is None else money(run["estimate_usd"])
    yield "submitted", run["submitted_at"]
    yield "took", _took(run)
    if run["executions"] > 1:
        yield "begun", f"{run['executions']} times"
