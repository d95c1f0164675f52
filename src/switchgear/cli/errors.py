"""From errors to exit codes and one plain line on standard error."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING, Final

import click

from switchgear.errors import ConfigError, Refused, SwitchgearError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BUG", "CHECK_FAILED", "INTERRUPTED", "OK", "REFUSED", "UNREACHABLE", "USAGE", "UnreachableError", "run"]

OK: Final = 0
BUG: Final = 1
USAGE: Final = 2
CHECK_FAILED: Final = 3
UNREACHABLE: Final = 4
REFUSED: Final = 5
INTERRUPTED: Final = 130


class UnreachableError(SwitchgearError):
    """No Switchgear answers where one was looked for."""


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run *command* and return the exit code of the process; see ``switchgear.cli.main``."""
    try:
        # A command returns its exit code, or None where all is well.
        code = command.main(args=list(arguments), prog_name="switchgear", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`switchgear calls list | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except SwitchgearError as error:
        click.echo(str(error), err=True)
        return _code(error)
    except Exception as error:  # noqa: BLE001 - the boundary: a bug of ours must not look like anything else
        _report(error)
        return BUG
    return code if isinstance(code, int) else OK


def _code(error: SwitchgearError) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    return REFUSED if isinstance(error, Refused) else UNREACHABLE


def _report(error: Exception) -> None:
    if os.environ.get("SWITCHGEAR_DEBUG"):
        traceback.print_exception(error)
    what = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "please report it, with what SWITCHGEAR_DEBUG=1 shows for the same command"
    click.echo(f"This is a bug in Switchgear ({what}); {hint}.", err=True)
