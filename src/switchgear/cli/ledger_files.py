"""``switchgear ledger export``, ``import``, ``backup`` and ``restore``: the ledger and files."""

from __future__ import annotations

import datetime as dt
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from switchgear.cli.base import Command
from switchgear.cli.consent import operator, require_consent, yes_option
from switchgear.cli.meter import meter
from switchgear.cli.output import json_option, print_json, say
from switchgear.cli.settings import config_option, read
from switchgear.cli.when import from_option, span_between, to_option
from switchgear.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.ledger.export import Format

__all__ = ["backup", "export", "import_", "restore"]

_file_argument = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")


@click.command(
    "export",
    cls=Command,
    examples=(
        "switchgear ledger export --format csv --from 2026-11 --to 2026-11 --out november.csv",
        "switchgear ledger export --format jsonl | jq .cost_usd",
    ),
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    default="csv",
    show_default=True,
    help="Of the file.",
)
@from_option
@to_option
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="A new file; default: standard output.")
@config_option
def export(format_: Format, since: str | None, until: str | None, out: Path | None, config_path: Path | None) -> None:
    """Write single attempts to a file, the oldest first.

    The file can be read back with `ledger import`. Calls on the wire are left out. Parquet needs pyarrow.
    """
    from switchgear.ledger import access
    from switchgear.ledger import export as files

    settings = read(config_path)
    span = span_between(since, until, ZoneInfo(settings.config.server.reporting_timezone))
    try:
        files.require_format(format_)
    except LedgerError as error:
        raise ConfigError(str(error)) from None
    with access.looking(settings.config.ledger.url) as engine, _output(out) as file:
        total, flying = files.attempts_in(engine, since=span.since, until=span.until)
        with meter("exporting", total, "attempts") as advance:
            count = files.export(engine, file, format_, since=span.since, until=span.until, progress=advance)
    say(f"{count:,} attempts exported{'' if out is None else f' to {out}'}.")
    if flying:
        say(f"{flying:,} calls on the wire were left out; export again when they are over.")


@click.command("import", cls=Command, examples=("switchgear ledger import november.csv",))
@_file_argument
@config_option
@json_option
def import_(file: Path, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Add exported attempts to the ledger.

    Reads CSV, JSON lines (.jsonl) or Parquet (.parquet, needs pyarrow), as `ledger export` writes them. All
    of the file or nothing is added, and what the ledger has already stays as it is. No server may be running.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import access
    from switchgear.ledger.import_files import ImportFileError
    from switchgear.ledger.importing import import_attempts

    ledger = read(config_path).config.ledger
    with (
        access.alone(ledger.url, durability=ledger.durability, create=True) as engine,
        meter("importing", None, "lines") as advance,
    ):
        try:
            done = import_attempts(engine, file, now_us=SystemClock().moment().wall, by=operator(), progress=advance)
        except ImportFileError as error:
            raise ConfigError(str(error)) from None
    if as_json:
        print_json({"added": done.added, "known": done.known})
    else:
        say(f"{done.added:,} attempts added; {done.known:,} were in the ledger already.")


@click.command("backup", cls=Command, examples=("switchgear ledger backup /mnt/backup/ledger-2026-11-24.db",))
@_file_argument
@config_option
@json_option
def backup(file: Path, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Copy the ledger to a new file, while it is in use.

    The copy is the ledger of one moment, complete in one file. A file that exists is not overwritten.
    """
    from switchgear.ledger import backup as copies

    done = 0

    def progress(copied: int, _every: int) -> None:
        nonlocal done
        advance(copied - done)
        done = copied

    with meter("copying", None, "pages") as advance:
        try:
            size = copies.backup(read(config_path).config.ledger.url, file, progress=progress)
        except FileExistsError:
            raise _exists(file) from None
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        say(f"Wrote {file} ({size / 1e6:,.1f} MB). Back again: switchgear ledger restore {file} --yes")


@click.command("restore", cls=Command, examples=("switchgear ledger restore /mnt/backup/ledger-2026-11-24.db --yes",))
@_file_argument
@yes_option
@config_option
@json_option
def restore(file: Path, yes: bool, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Put a backup in the place of the ledger.

    The ledger that was there is kept beside it. No server may be running.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import backup as copies

    url = read(config_path).config.ledger.url
    require_consent(f"The ledger will be what it was in {file}; newer calls will be missing.", given=yes)
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}"
    count, aside = copies.restore(file, url, stamp=stamp, by=operator(), now_us=SystemClock().moment().wall)
    if as_json:
        print_json({"attempts": count, "previous": None if aside is None else str(aside)})
    elif aside is None:
        say(f"The ledger has {count:,} attempts.")
    else:
        say(f"The ledger has {count:,} attempts. The old one: {aside}")


@contextmanager
def _output(out: Path | None) -> Iterator[IO[bytes]]:
    """Yield where the export goes; a new file that is not finished is removed again."""
    if out is None:
        yield sys.stdout.buffer
        return
    try:
        file = out.open("xb")
    except FileExistsError:
        raise _exists(out) from None
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        with file:
            yield file
    except OSError as error:
        out.unlink(missing_ok=True)
        raise _unwritable(out, error) from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _exists(file: Path) -> ConfigError:
    return ConfigError(f"{file}: exists already, and is left as it is")


def _unwritable(file: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{file}: can't be written: {error.strerror}")
