"""``switchgear ledger verify``, ``prune`` and ``erase``: what keeps a ledger true and small."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.consent import operator, require_consent, yes_option
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.meter import meter
from switchgear.cli.output import Cell, json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.when import span_between
from switchgear.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.config.model import Config
    from switchgear.ledger.retention import Counted
    from switchgear.ledger.verify import Difference, Verification

__all__ = ["erase", "prune", "verify"]

_SHOWN: Final = 50
_DAY_US: Final = 86_400 * MICROS


@click.command("verify", cls=Command, examples=("switchgear ledger verify", "switchgear ledger verify --repair --json"))
@click.option("--repair", "mend", is_flag=True, help="Put wrong sums right. No server may be running.")
@config_option
@json_option
def verify(config_path: Path | None, mend: bool, as_json: bool) -> int:  # noqa: FBT001 - click passes them by name
    """Check that every sum is the sum of its calls.

    Roll-ups and job totals are compared with the single attempts, at one moment of the ledger; a server
    may go on writing. Ends with 3 if something differs and is not repaired.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import access
    from switchgear.ledger import verify as sums

    ledger = read(config_path).config.ledger
    if mend:
        with access.alone(ledger.url, durability=ledger.durability) as engine:
            found = sums.repair(engine, now_us=SystemClock().moment().wall, by=operator())
    else:
        with access.looking(ledger.url) as engine:
            found = sums.verify(engine)
    if as_json:
        print_json(_verification(found))
    else:
        _print_verification(found)
    return OK if found.sound else CHECK_FAILED


@click.command(
    "prune",
    cls=Command,
    examples=("switchgear ledger prune --dry-run", "switchgear ledger prune --before 2026-08-01 --yes"),
)
@click.option("--before", metavar="DATE", help="Older than this; default: ledger.retention_days ago.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@yes_option
@config_option
@json_option
def prune(config_path: Path | None, before: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Delete old single calls; all sums stay.

    Goes in steps of a few milliseconds, so a running server is not held up. Calls on the wire stay, and so
    do those that a budget still counts.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import access, retention

    config = read(config_path).config
    clock = SystemClock()
    now = clock.moment().wall
    edge = _edge(config, before, now)
    counted = _counted(config, now)
    with access.looking(config.ledger.url) as engine:
        planned = retention.prunable(engine, before_us=edge, counted=counted)
    if dry_run:
        _print_pruned(planned.attempts, planned.kept, planned.before, as_json=as_json, word="would go")
        return
    if planned.attempts:
        require_consent(f"{planned.attempts:,} attempts from before {_day(planned.before)} will be deleted.", given=yes)
    with (
        access.beside(config.ledger.url, durability=config.ledger.durability) as engine,
        meter("pruning", planned.attempts, "attempts") as advance,
    ):
        done = retention.prune(engine, before_us=edge, counted=counted, clock=clock, by=operator(), progress=advance)
    _print_pruned(done.attempts, done.kept, done.before, as_json=as_json, word="deleted")
    if not as_json and done.reusable_bytes + done.freed_bytes:
        say(
            f"The file is {done.freed_bytes / 1e6:,.1f} MB smaller; {done.reusable_bytes / 1e6:,.1f} MB in it are free."
        )


@click.command("erase", cls=Command, examples=("switchgear ledger erase --job acme-42 --yes",))
@click.option("--job", required=True, metavar="NAME", help="The job whose traces are removed.")
@yes_option
@config_option
@json_option
def erase(config_path: Path | None, job: str, yes: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Forget one job.

    Its calls stay as calls of no job, so that every sum stays what it was; their run, tags, trace, error and
    refusal texts are emptied, and events lose the job's name. Budgets of this job start again from 0 at the
    next start of the server. Backups and exports are not touched.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import access
    from switchgear.ledger.erase import erase_job

    ledger = read(config_path).config.ledger
    with access.looking(ledger.url):
        require_consent(f"All that tells of job {text_of(job)} will be removed from the ledger.", given=yes)
    with (
        access.beside(ledger.url, durability=ledger.durability) as engine,
        meter("erasing", None, "attempts") as advance,
    ):
        done = erase_job(engine, job, clock=SystemClock(), by=operator(), progress=advance)
    if as_json:
        print_json({"attempts": done.attempts, "job_totals": done.totals, "events": done.events})
    elif done.attempts or done.totals or done.events:
        say(
            f"{done.attempts:,} attempts belong to no job now, {done.totals} totals were added to those of no job, "
            f"{done.events} events lost the name. Roll-ups are unchanged: they know no jobs."
        )
    else:
        say(f"The ledger knows no job {text_of(job)}; nothing was changed.")


def _edge(config: Config, before: str | None, now: int) -> int:
    from switchgear.ledger.retention import NEEDED_US

    if before is None:
        return now - config.ledger.retention_days * _DAY_US
    zone = ZoneInfo(config.server.reporting_timezone)
    try:
        edge = span_between(before, None, zone).since
    except click.UsageError as error:
        raise click.UsageError(error.message.replace("--from", "--before", 1)) from None
    if edge is None or edge > now - NEEDED_US:
        newest = dt.datetime.fromtimestamp((now - NEEDED_US) // MICROS, zone)
        msg = f"--before: {before!r} is too new: daily limits need the last two days; valid is up to {newest:%Y-%m-%d}."
        raise click.UsageError(msg)
    return edge


def _counted(config: Config, now: int) -> list[Counted]:
    """Return what the configured budgets still count, and will ask the ledger for at the next start."""
    from switchgear.governor.rules import budget_rules
    from switchgear.ledger.retention import Counted
    from switchgear.policies.budget import period_of

    return [
        Counted(
            budget=rule.name,
            match=dict(rule.match),
            each=rule.each,
            since_us=period_of(rule, now).start if rule.rolling_us is None else now - rule.rolling_us,
        )
        for rule in budget_rules(config)
    ]


def _print_pruned(gone: int, kept: int, before: int, *, as_json: bool, word: str) -> None:
    if as_json:
        print_json({"attempts": gone, "kept": kept, "before": _instant(before), "dry_run": word != "deleted"})
        return
    stay = f" {kept:,} as old stay: a budget still counts them." if kept else ""
    say(f"{gone:,} attempts from before {_day(before)} {word}; roll-ups and job totals stay.{stay}")


def _verification(found: Verification) -> dict[str, Any]:
    return {
        "sound": found.sound,
        "attempts": found.attempts,
        "groups": found.groups,
        "since": None if found.since is None else _instant(found.since),
        "repaired": found.repaired,
        "differences": [
            {
                "table": one.table,
                "group": _group(one),
                "expected": one.expected,
                "found": one.found,
                "repairable": one.repairable,
            }
            for one in found.differences
        ],
    }


def _group(one: Difference) -> dict[str, str]:
    start = one.group.get("bucket_start")
    named = {name: str(value) for name, value in one.group.items() if name != "bucket_start"}
    return named if start is None else {"bucket_start": _instant(int(start)), **named}


def _print_verification(found: Verification) -> None:
    if found.differences:
        print_table(("TABLE", "GROUP", "SUM", "IS", "SHOULD BE"), _rows(found))
        if len(found.differences) > _SHOWN:
            say(f"... and {len(found.differences) - _SHOWN:,} groups more; --json shows all.")
    pruned = "" if found.since is None else f" Older than {_day(found.since)}: pruned, so not compared."
    say(f"{found.attempts:,} attempts against {found.groups:,} roll-ups and job totals.{pruned}")
    if not found.differences:
        say("Every sum is right.")
    elif found.sound:
        say(f"{found.repaired:,} groups were wrong and are right now.")
    elif not found.repaired and any(one.repairable for one in found.differences):
        say(f"{len(found.differences):,} groups are wrong. Repair them: switchgear ledger verify --repair")
    else:
        left = len(found.differences) - found.repaired
        say(f"{found.repaired:,} groups repaired; {left:,} can't be: their attempts were pruned.")


def _rows(found: Verification) -> Iterator[tuple[Cell | str, ...]]:
    for one in found.differences[:_SHOWN]:
        name = " ".join(f"{key}={text_of(value)}" for key, value in _group(one).items())
        for column, expected in one.expected.items():
            yield one.table, name, column, Cell(f"{one.found[column]:,}", "crit"), f"{expected:,}"


def _instant(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros // MICROS, dt.UTC).isoformat().replace("+00:00", "Z")


def _day(micros: int) -> str:
    return f"{dt.datetime.fromtimestamp(micros // MICROS, dt.UTC):%Y-%m-%d %H:%M} UTC"
