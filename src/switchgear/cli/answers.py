"""Questions to reports, and what becomes of the answers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from switchgear.cli.output import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.cli.settings import Settings

__all__ = ["answerable", "write_out", "zone_of"]


@contextmanager
def answerable() -> Iterator[None]:
    """Turn a question that can't be answered into a usage error that names the option and what is valid."""
    from switchgear.insight.questions import BadQuestion

    try:
        yield
    except BadQuestion as error:
        msg = f"--{error.key}: {error.detail}."
        raise click.UsageError(msg) from None


def zone_of(settings: Settings, given: str | None) -> ZoneInfo:
    """Return the time zone called *given*, or that of the configuration.

    Raises:
        BadQuestion: there is none of that name.
    """
    from switchgear.insight.questions import read_zone

    return ZoneInfo(settings.config.server.reporting_timezone) if given is None else read_zone(given)


def write_out(text: str, out: Path | None) -> None:
    """Write *text* to the file *out*, or to standard output.

    Raises:
        click.ClickException: it can't be written.
    """
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"{out}: can't be written: {error.strerror or error}"
        raise click.ClickException(msg) from None
    say(f"Wrote {out}.")
