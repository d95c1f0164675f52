"""``switchgear demo``."""

from __future__ import annotations

import shlex
import signal
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from switchgear.cli.base import Command
from switchgear.cli.demo_applications import prepare, print_applications
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.output import json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.progress import watch
from switchgear.cli.serve import require_server
from switchgear.cli.words import tokens, usd
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from types import FrameType

    from switchgear.clock import Clock
    from switchgear.drills.demo.clients import Sent
    from switchgear.drills.demo.stage import Stage
    from switchgear.drills.demo.summary import Summary

__all__ = ["command"]

_HEADER: Final = ("SERVICE", "CALLS", "OK", "FAILED", "REFUSED", "TOKENS", "COST")
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command(
    cls=Command,
    name="demo",
    examples=(
        "switchgear demo                 traffic, then a dashboard to look at until Ctrl-C",
        "switchgear demo --once --json   the figures alone",
    ),
)
@click.option("--once", is_flag=True, help="End after the traffic.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; default: 8400, or a free one if that is taken.")
@click.option("--dir", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Keep configuration and ledger.")
@click.option("--sandbox", is_flag=True, help="Use the sandbox provider instead of the model.")
@json_option
def command(once: bool, port: int | None, folder: Path | None, sandbox: bool, as_json: bool) -> int:  # noqa: FBT001 - click passes them by name
    """See it work: a real model, real traffic, no keys.

    Starts a language model on this machine and a server before it, sends calls through OpenAI's and
    Anthropic's SDKs, lets a budget refuse and a breaker open and recover, counts at both ends, prepares three
    job applications, and keeps the dashboard up. Exits with 3 if the figures do not add up.
    """
    require_server()
    if find_spec("openai") is None or find_spec("anthropic") is None:
        msg = 'the demo sends its traffic with the SDKs, which are not installed: pip install "switchgear[sdk]"'
        raise ConfigError(msg)
    from switchgear.clock import SystemClock
    from switchgear.drills.demo.stage import Stage
    from switchgear.drills.demo.summary import summary_of

    real_model = not sandbox and _has_model()
    clock = SystemClock()
    _end_in_order()
    with Stage(clock=clock, folder=folder, port=port, real_model=real_model, progress=say) as stage:
        sent = _send(stage, clock)
        summary, problems = summary_of(stage, sent, clock=clock, real_model=real_model)
        applications = prepare(stage) if real_model else []
        if as_json:
            print_json({**summary.to_dict(), "applications": applications})
        else:
            _print(summary)
            if applications:
                click.echo()
                print_applications(applications)
        for problem in problems:
            say(f"This does not add up: {problem}.")
        if not once:
            _keep_serving(stage)
    return CHECK_FAILED if problems else OK


def _has_model() -> bool:
    from switchgear.local import missing

    lacking = missing()
    if lacking is not None:
        say(f"No real model: {lacking}. The sandbox provider answers in its place.")
    return lacking is None


def _send(stage: Stage, clock: Clock) -> list[Sent]:
    from switchgear.drills.demo.clients import Clients
    from switchgear.drills.demo.traffic import ACTS, play

    with Clients(stage.url, stage.model) as clients:
        return watch(play(clients, stage.sandbox, clock), ACTS)


def _print(summary: Summary) -> None:
    rows = [
        (
            line.service,
            f"{line.calls}",
            f"{line.ok}",
            f"{line.failed}",
            f"{line.refused}",
            tokens(line.tokens),
            usd(str(line.cost_usd)),
        )
        for line in summary.services
    ]
    numbers = (summary.calls, summary.ok, summary.failed, summary.refused)
    total = ("all", *map(str, numbers), tokens(summary.tokens), usd(str(summary.cost_usd)))
    click.echo()
    print_table(_HEADER, [*rows, total])
    click.echo()
    by_reason = ", ".join(f"{reason} {count}" for reason, count in summary.by_reason.items())
    memory = "-" if summary.memory_mb is None else f"{summary.memory_mb:.0f} MB"
    print_facts(
        (
            ("went out", f"{summary.ledger_rows} by the ledger, {summary.upstream_served} by the upstreams' own count"),
            ("refused by", by_reason or "-"),
            ("breaker", f"opened: {_yes(summary.breaker_opened)}, recovered: {_yes(summary.breaker_recovered)}"),
            ("server memory", memory),
            (f"{summary.model} said", text_of(" ".join(summary.text.split()))),
        )
    )


def _yes(value: bool) -> str:  # noqa: FBT001 - the value is the question
    return "yes" if value else "no"


def _keep_serving(stage: Stage) -> None:
    """Return at Ctrl-C, which is how this ends well."""
    say("")
    say(f"The dashboard is at {stage.url}/ until Ctrl-C. Look around with")
    say(f"  switchgear status --config {shlex.quote(str(stage.config))}")
    say(f"  switchgear calls list --outcome refused --config {shlex.quote(str(stage.config))}")
    from switchgear.drills.process import ServerError

    with suppress(KeyboardInterrupt):
        stage.server.wait()
        msg = "the server has ended by itself"
        raise ServerError(msg)


def _end_in_order() -> None:
    """Make every signal that asks to end raise KeyboardInterrupt once, so that what was started is ended."""

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in _ENDS:
        signal.signal(number, end)
