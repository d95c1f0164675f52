"""``--from`` and ``--to``: which time a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from switchgear.insight.questions import Span

__all__ = ["from_option", "span_between", "to_option"]

from_option: Final = click.option(
    "--from", "since", metavar="WHEN", help="From this day, month or instant on (2026-11-24, 2026-11, RFC 3339)."
)
to_option: Final = click.option(
    "--to", "until", metavar="WHEN", help="To the end of this day or month, or to before this instant."
)


def span_between(since: str | None, until: str | None, zone: ZoneInfo) -> Span:
    """Return the time that the two options say, in the reporting time zone.

    Raises:
        click.UsageError: no date, or one that lies after the other.
    """
    from switchgear.insight.questions import BadQuestion, read_span

    try:
        return read_span(since, until, zone)
    except BadQuestion as error:
        msg = f"--{error.key}: {error.detail}"
        raise click.UsageError(msg) from None
