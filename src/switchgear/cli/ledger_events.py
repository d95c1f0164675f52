"""``switchgear ledger events``: the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.output import json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.when import span_between

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["events"]

_HEADER: Final = ("TIME", "KIND", "ABOUT", "WHO", "WHY", "WHAT")
_LARGEST_PAGE: Final = 500


class _Kind(click.ParamType[str]):
    """A kind of entry. The kinds are looked up when one is given: they come with all of SQLAlchemy."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from switchgear.ledger.trail import KINDS

        if value not in KINDS:
            self.fail(f"{value!r} is none of {', '.join(sorted(KINDS))}", param, ctx)
        return value


@click.command(
    "events",
    cls=Command,
    examples=("switchgear ledger events --since 2026-11-24", "switchgear ledger events --kind config_changed --json"),
)
@click.option("--kind", type=_Kind(), metavar="KIND", help="Only this kind, e.g. budget_changed.")
@click.option("--since", metavar="WHEN", help="From this day, month or instant on (2026-11-24, 2026-11, RFC 3339).")
@click.option("--limit", type=click.IntRange(1, _LARGEST_PAGE), default=50, show_default=True, help="Lines at most.")
@click.option("--after", metavar="CURSOR", help="Go on where the page before ended: its `next`.")
@config_option
@json_option
def events(
    *,
    kind: str | None,
    since: str | None,
    limit: int,
    after: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show who has changed what, and why: the audit trail, newest first."""
    settings = read(config_path)
    start = _start(since, ZoneInfo(settings.config.server.reporting_timezone))
    with open_ledger(settings) as ledger:
        try:
            page = ledger.reader.trail.page(kind=kind, since=start, limit=limit, after=after)
        except ValueError:
            msg = f"--after: {after!r} is not the `next` of a page."
            raise click.UsageError(msg) from None
    from switchgear.insight.event_item import EventList
    from switchgear.insight.metrics import plain

    shown = plain(EventList.of(page))
    if as_json:
        print_json(shown)
        return
    if not shown["items"]:
        say("0 events match." if kind or since or after else "The audit trail is empty.")
        return
    print_table(_HEADER, (_row(item) for item in shown["items"]))
    if page.next:
        say(f"There are more: --after {page.next}")


def _start(since: str | None, zone: ZoneInfo) -> int | None:
    try:
        return span_between(since, None, zone).since
    except click.UsageError as error:
        raise click.UsageError(error.message.replace("--from", "--since", 1)) from None


def _row(item: dict[str, Any]) -> Sequence[str]:
    facts = ", ".join(f"{name} {_fact(value)}" for name, value in item["what"].items() if value not in (None, {}, []))
    named = (item["at"], item["kind"], item["subject"], item["actor"], item["reason"], facts)
    return [text_of(value) for value in named]


def _fact(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    changes = {name: each for name, each in value.items() if isinstance(each, dict)}
    return "; ".join(f"{name}: {each.get('old')} -> {each.get('new')}" for name, each in changes.items())
