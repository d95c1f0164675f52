"""``switchgear serve``."""

from __future__ import annotations

import os
import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, NoReturn

import click

from switchgear.cli.base import Command
from switchgear.cli.errors import INTERRUPTED, OK
from switchgear.cli.settings import config_option, located
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

__all__ = ["SERVER_PACKAGES", "command", "require_server"]

SERVER_PACKAGES: Final = ("fastapi", "jinja2", "prometheus_client", "uvicorn")
"""What the ``server`` extra brings."""


@click.command(
    cls=Command,
    name="serve",
    examples=(
        "switchgear serve",
        "switchgear serve --config switchgear.toml --port 8401",
        "switchgear serve --workers 2                   with a shared state and ledger",
        "switchgear serve --only dashboard --port 8402  beside a server that runs",
    ),
)
@config_option
@click.option("--host", metavar="HOST", help="Address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, instead of server.port; 0: one that is free.")
@click.option("--workers", type=click.IntRange(1), help="Processes, instead of server.workers.")
@click.option("--only", type=click.Choice(["gateway", "dashboard"]), help="Serve one half of it.")
def command(
    config_path: Path | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    only: Literal["gateway", "dashboard"] | None,
) -> int:
    """Run the gateway, the API and the dashboard.

    Prints `ready http://HOST:PORT` when it answers. SIGTERM or Ctrl-C: calls in flight get
    server.shutdown_timeout to end, then all is settled (exit code 0, or 130 after Ctrl-C); the second
    time: at once. SIGHUP, or `switchgear config reload`: the configuration is read again.
    """
    from switchgear.config.load import load_sourced

    path = located(config_path)
    current = load_sourced(path, environ=os.environ)
    require_server()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something that can be read again
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    from switchgear.server import Origin, serve
    from switchgear.telemetry.logs.setup import set_up

    set_up(current.config.telemetry)
    origin = Origin(current, lambda: load_sourced(path, environ=os.environ))
    return serve(origin, host=host, port=port, only=only, workers=workers, announce=_announce)


def require_server() -> None:
    """Raise ConfigError unless the packages of the server are installed."""
    if any(find_spec(package) is None for package in SERVER_PACKAGES):
        msg = 'the server is not installed: pip install "switchgear[server]"'
        raise ConfigError(msg)


def _announce(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def _stop(number: int, _frame: FrameType | None) -> NoReturn:
    """End the process before the server is up."""
    sys.exit(INTERRUPTED if number == signal.SIGINT else OK)
