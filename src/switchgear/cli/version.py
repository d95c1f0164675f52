"""``switchgear version``."""

from __future__ import annotations

import platform

import click

from switchgear.cli.base import Command
from switchgear.cli.output import json_option, print_json
from switchgear.version import __version__

__all__ = ["command"]


@click.command(cls=Command, name="version", examples=("switchgear version --json",))
@json_option
def command(as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Print the version."""
    if as_json:
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        click.echo(f"switchgear {__version__}")
