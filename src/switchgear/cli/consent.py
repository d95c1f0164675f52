"""Before something is changed that can't be changed back: who does it, and whether they mean it."""

from __future__ import annotations

import getpass
import sys
from typing import Final

import click

__all__ = ["operator", "require_consent", "yes_option"]

yes_option: Final = click.option("--yes", is_flag=True, help="Do it without asking.")


def operator() -> str:
    """Return the name of whoever runs the command, for the audit trail."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def require_consent(question: str, *, given: bool) -> None:
    """Ask *question* on a terminal, unless the answer is *given*.

    Raises:
        click.UsageError: the answer is no, or there is nobody to ask.
    """
    if given:
        return
    if not sys.stdin.isatty():
        msg = f"{question} Say so with --yes."
        raise click.UsageError(msg)
    if not click.confirm(question, err=True):
        msg = "Nothing was changed."
        raise click.UsageError(msg)
