"""``switchgear applications``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli.application_rows import day_of, print_whole, row_of
from switchgear.cli.base import Group
from switchgear.cli.consent import operator
from switchgear.cli.output import json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.when import from_option, span_between, to_option

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from jobsmith.applications import Applications, Wanted

__all__ = ["command"]

_STATUSES: Final = ("drafted", "ready", "applied", "interview", "offer", "rejected", "withdrawn")
_NOTHING: Final = "-"

_status_option: Final = click.option("--status", type=click.Choice(_STATUSES), help="Only those that stand so.")
_text_option: Final = click.option("--text", help="Only those with this in role, company, place, address or job.")


@click.group(
    cls=Group,
    name="applications",
    examples=(
        "switchgear applications list --status applied",
        "switchgear applications set acme-42 applied --at 2026-11-24",
        "switchgear applications stats",
    ),
)
def command() -> None:
    """Show applications, what came of them, and how many were sent.

    The records are read and written where they are; no server is needed.
    """


@command.command(
    "list", examples=("switchgear applications list --status interview", "switchgear applications list --json")
)
@_status_option
@_text_option
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@click.option("--after", metavar="NEXT", help="Those after the page whose `next` this was.")
@from_option
@to_option
@config_option
@json_option
def list_applications(
    status: str | None,
    text: str | None,
    limit: int,
    after: str | None,
    since: str | None,
    until: str | None,
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """List applications, the newest record first. --from and --to are about when they were sent."""
    with _opened(config_path) as (applications, zone):
        wanted = _wanted(status, text, span=(since, until), zone=zone)
        page = applications.page(wanted, limit=limit, after=after)
    if as_json:
        print_json(_plain(page))
    elif page.items:
        print_table(("ID", "STATUS", "SENT", "FIT", "COST", "APPLICATION"), [row_of(item, zone) for item in page.items])
        if page.next:
            say(f"More: --after {page.next}")
    else:
        say("No application fits." if wanted != type(wanted)() else "No application is on record yet.")


@command.command("show", examples=("switchgear applications show acme-42",))
@click.argument("name")
@config_option
@json_option
def show(name: str, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - as above
    """Show the application whose id or job is NAME, with its history."""
    with _opened(config_path) as (applications, zone):
        found = applications.get(name)
    if as_json:
        print_json(_plain(found))
        return
    print_whole(found, zone)


@command.command("set", examples=("switchgear applications set acme-42 interview --at 2026-11-26 --note 'with Ann'",))
@click.argument("name")
@click.argument("status", type=click.Choice(_STATUSES))
@click.option("--at", metavar="WHEN", help="When it was so: a date or an instant (RFC 3339); default: now.")
@click.option("--note", default="", help="What there is to say of it.")
@config_option
@json_option
def set_status(
    name: str,
    status: str,
    at: str | None,
    note: str,
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> None:
    """Say what became of the application NAME.

    drafted and ready say that it was not sent after all.
    """
    with _opened(config_path) as (applications, zone):
        before = applications.get(name)
        found = applications.set_status(name, status, at=at, note=note, by=operator())
    if as_json:
        print_json(_plain(found))
        return
    sent = f", sent {day_of(found.applied_at, zone)}" if found.applied_at else ""
    say(f"{text_of(found.title)}: {before.status} -> {found.status}{sent}.")
    if found.status != status:
        say(f"It stays {found.status}, which is of a later day than {at}.")
    elif before.status != found.status:
        say(f"Undo: switchgear applications set {text_of(name)} {before.status}")


@command.command("note", examples=("switchgear applications note acme-42 'they called back'",))
@click.argument("name")
@click.argument("text")
@config_option
def note(name: str, text: str, config_path: Path | None) -> None:
    """Add a note to the history of the application NAME."""
    with _opened(config_path) as (applications, _):
        found = applications.note(name, text, by=operator())
    say(f"Noted at {text_of(found.title)}.")


@command.command("edit", examples=("switchgear applications edit acme-42 --company 'Acme Ltd'",))
@click.argument("name")
@click.option("--role", help="What one would be there.")
@click.option("--company", help="Whose posting it is.")
@click.option("--place", help="Where that is.")
@click.option("--address", help="Web address of the posting.")
@config_option
def edit(
    name: str,
    role: str | None,
    company: str | None,
    place: str | None,
    address: str | None,
    config_path: Path | None,
) -> None:
    """Change what the record NAME says; what it said before stays in its history."""
    if role is company is place is address is None:
        msg = "give what is to be changed: --role, --company, --place or --address"
        raise click.UsageError(msg)
    with _opened(config_path) as (applications, _):
        found = applications.edit(name, by=operator(), role=role, company=company, place=place, url=address)
    say(f"Changed: {text_of(found.title)}.")


@command.command("import", examples=("switchgear applications import applications.csv --dry-run",))
@click.argument("file", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@config_option
@json_option
def import_file(file: Any, dry_run: bool, config_path: Path | None, as_json: bool) -> None:  # noqa: ANN401, FBT001 - click's file; as above
    """Take over the rows of FILE (CSV; - for standard input): all of them, or none."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        msg = "FILE is not UTF-8 text"
        raise click.UsageError(msg) from None
    with _opened(config_path) as (applications, _):
        found = applications.import_csv(text, by=operator(), dry_run=dry_run)
    if as_json:
        print_json(_plain(found))
        return
    would = "would be " if dry_run else ""
    say(f"{found.added:,} {would}added, {found.changed:,} {would}changed, {found.unchanged:,} as they were.")


@command.command("export", examples=("switchgear applications export > applications.csv",))
@_status_option
@_text_option
@from_option
@to_option
@config_option
def export(
    status: str | None,
    text: str | None,
    since: str | None,
    until: str | None,
    config_path: Path | None,
) -> None:
    """Print applications as CSV, which import takes again."""
    with _opened(config_path) as (applications, zone):
        for line in applications.export_csv(_wanted(status, text, span=(since, until), zone=zone)):
            sys.stdout.write(line)


@command.command("stats", examples=("switchgear applications stats", "switchgear applications stats --json"))
@config_option
@json_option
def stats(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - as above
    """Show how many were sent today, this week, this month and in all."""
    with _opened(config_path) as (applications, _):
        found = applications.stats()
    if as_json:
        print_json(_plain(found))
        return
    goals = {goal.period: f" of {goal.goal:,} ({goal.percent:,} %)" for goal in found.goals}
    names = ("last 24 h", "last 7 d", "last 30 d") if found.periods == "rolling" else ("today", "week", "month")
    print_facts(
        (
            (names[0], f"{found.today:,}{goals.get('day', '')}"),
            (names[1], f"{found.week:,}{goals.get('week', '')}"),
            (names[2], f"{found.month:,}{goals.get('month', '')}"),
            ("total", f"{found.total:,}" + (f", {found.without_date:,} without a date" if found.without_date else "")),
            ("days in a row", f"{found.streak_days:,}"),
            ("a day, of late", _NOTHING if found.daily_average is None else str(found.daily_average)),
        )
    )


@contextmanager
def _opened(config_path: Path | None) -> Iterator[tuple[Applications, ZoneInfo]]:
    """Yield the records, and the zone of their dates; what is wrong with what was asked is a usage error."""
    from zoneinfo import ZoneInfo

    from jobsmith.applications import Applications, BadApplication, NoSuchApplication
    from switchgear.clock import SystemClock

    config = read(config_path).config
    try:
        with Applications.from_config(config, clock=SystemClock()) as applications:
            yield applications, ZoneInfo(config.server.reporting_timezone)
    except (BadApplication, NoSuchApplication) as error:
        raise click.ClickException(str(error)) from None


def _wanted(
    status: str | None,
    text: str | None,
    *,
    span: tuple[str | None, str | None],
    zone: ZoneInfo,
) -> Wanted:
    from jobsmith.applications import Wanted
    from jobsmith.applications.record import known_status

    asked = span_between(*span, zone)
    known = None if status is None else known_status(status)
    return Wanted(status=known, text=text, since=asked.since, until=asked.until)


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    from switchgear.insight.metrics import plain

    return plain(value)
