"""``switchgear serve``."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NoReturn

import click

from switchgear.cli.base import Command
from switchgear.cli.settings import config_option, read
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
    examples=("switchgear serve", "switchgear serve --config switchgear.toml --port 8401"),
)
@config_option
@click.option("--host", metavar="HOST", help="Address to listen on, instead of server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, instead of server.port; 0: one that is free.")
def command(config_path: Path | None, host: str | None, port: int | None) -> None:
    """Run the gateway, the API and the dashboard.

    Prints `ready http://HOST:PORT` when it answers; runs until SIGINT or SIGTERM, which end it with 0.
    """
    settings = read(config_path)
    require_server()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    from switchgear.server import serve

    serve(settings.config, host=host, port=port, announce=_announce)


def require_server() -> None:
    """Raise ConfigError unless the packages of the server are installed."""
    if any(find_spec(package) is None for package in SERVER_PACKAGES):
        msg = 'the server is not installed: pip install "switchgear[server]"'
        raise ConfigError(msg)


def _announce(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End the process well: before the server is up, and when it hands the signal on after shutting down."""
    sys.exit(0)
