"""``switchgear calls``: the ledger, row by row, with or without a running server."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, get_args
from zoneinfo import ZoneInfo

import click

from switchgear.calls import CallStatus
from switchgear.cli.base import Group
from switchgear.cli.output import Cell, json_option, print_facts, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.cli.source import open_ledger
from switchgear.cli.words import clock_time, outcome_cell, span, tokens, usd
from switchgear.insight.outcomes import OUTCOMES
from switchgear.money import to_nano

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchgear.ledger.reader import LedgerReader
    from switchgear.ledger.views import CallFilter, CallRow

__all__ = ["command"]

_HEADER: Final = ("TIME", "SERVICE", "MODEL", "JOB", "LAYER", "OUTCOME", "WAITED", "TOOK", "IN", "OUT", "COST", "ID")
_LARGEST_PAGE: Final = 500


@click.group(
    cls=Group,
    name="calls",
    examples=(
        "switchgear calls list --job acme-42",
        "switchgear calls list --outcome refused-budget --json",
        "switchgear calls show 01K0A1B2C3D4E5F6G7H8J9KMNP",
    ),
)
def command() -> None:
    """Look up calls in the ledger."""


@command.command("list", examples=("switchgear calls list --service openai --status failed --limit 20",))
@click.option("--service", metavar="NAME", help="Only calls to this service.")
@click.option("--model", metavar="NAME", help="Only calls of this model.")
@click.option("--job", metavar="NAME", help="Only calls on behalf of this job.")
@click.option("--run", metavar="NAME", help="Only calls of this run.")
@click.option("--layer", metavar="NAME", help="Only calls of this layer.")
@click.option("--status", type=click.Choice(get_args(CallStatus)), help="Only calls with this status.")
@click.option(
    "--outcome",
    type=click.Choice(list(OUTCOMES)),
    metavar="OUTCOME",
    help=f"Status and reason in one word: {', '.join(OUTCOMES)}.",
)
@click.option("--limit", type=click.IntRange(1, _LARGEST_PAGE), default=50, show_default=True, help="Lines at most.")
@click.option("--after", metavar="CURSOR", help="Go on where the page before ended: its `next`.")
@config_option
@json_option
def list_calls(config_path: Path | None, limit: int, after: str | None, as_json: bool, **wanted: str | None) -> None:  # noqa: FBT001 - click passes it by name
    """List attempts, newest first."""
    settings = read(config_path)
    where = _filter(wanted)
    with open_ledger(settings) as ledger:
        try:
            page = ledger.reader.calls(where, limit=limit, after=after)
        except ValueError:
            msg = f"--after: {after!r} is not the `next` of a page."
            raise click.UsageError(msg) from None
    from switchgear.insight.call_item import CallList
    from switchgear.insight.metrics import plain

    shown = plain(CallList.of(page))
    if as_json:
        print_json(shown)
        return
    if not shown["items"]:
        say("0 calls match." if any(wanted.values()) or after else "The ledger has no calls yet.")
        return
    zone = ZoneInfo(settings.config.server.reporting_timezone)
    now = dt.datetime.now(dt.UTC)
    print_table(_HEADER, (_row(item, zone, now) for item in shown["items"]))
    if page.next:
        say(f"There are more: --after {page.next}")


@command.command("show", examples=("switchgear calls show 01K0A1B2C3D4E5F6G7H8J9KMNP",))
@click.argument("call_id", metavar="ID")
@config_option
@json_option
def show_call(call_id: str, config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show one call with all its attempts."""
    settings = read(config_path)
    with open_ledger(settings) as ledger:
        rows = _attempts(ledger.reader, call_id)
    from switchgear.insight.call_item import CallDetail
    from switchgear.insight.metrics import plain

    shown = plain(CallDetail.of(rows))
    if as_json:
        print_json(shown)
        return
    zone = ZoneInfo(settings.config.server.reporting_timezone)
    for at, item in enumerate(shown["attempts"]):
        if at:
            click.echo()
        print_facts(_facts(item, zone))
    if shown["refusal"]:
        click.echo()
        print_facts(("refusal" if not at else "", line) for at, line in enumerate(_refusal(shown["refusal"])))


def _filter(wanted: Mapping[str, str | None]) -> CallFilter:
    import msgspec

    from switchgear.ledger.views import CallFilter

    outcome, status = wanted["outcome"], wanted["status"]
    meant, reason = OUTCOMES.get(outcome, (status, None))  # type: ignore[call-overload]  # click lets only its keys pass
    if status not in {None, meant}:
        msg = f"--status {status} contradicts --outcome {outcome}; one of the two is enough."
        raise click.UsageError(msg)
    equal = {name: value for name, value in wanted.items() if name != "outcome"}
    return msgspec.convert({**equal, "status": meant, "refused_by": reason}, CallFilter)


def _attempts(reader: LedgerReader, call_id: str) -> tuple[CallRow, ...]:
    """Return the attempts of a call, which may go by the id of one of them: the call's, a hyphen, a number."""
    rows = reader.call(call_id)
    if not rows:
        rows = reader.call(call_id.rpartition("-")[0])
        rows = rows if any(row.id == call_id for row in rows) else ()
    if not rows:
        msg = f"the ledger has no call {call_id!r}; `switchgear calls list` shows what it has"
        raise click.ClickException(msg)
    return rows


def _row(item: Mapping[str, Any], zone: ZoneInfo, now: dt.datetime) -> tuple[Cell | str, ...]:
    went_out = item["status"] != "refused"
    return (
        clock_time(item["started_at"], zone, now),
        text_of(item["service"]),
        text_of(item["model"]),
        text_of(item["job"]),
        text_of(item["layer"]),
        outcome_cell(item["status"], item["refused_by"]),
        span(item["waited_ms"] / 1000) if item["waited_ms"] >= 1 else "-",
        _milliseconds(item["duration_ms"]),
        tokens(item["input_tokens"]) if went_out else "-",
        tokens(item["output_tokens"]) if went_out else "-",
        _cost(item),
        item["call_id"],
    )


def _facts(item: Mapping[str, Any], zone: ZoneInfo) -> Iterator[tuple[str, Cell | str]]:
    started = dt.datetime.fromisoformat(item["started_at"]).astimezone(zone)
    yield "attempt", item["id"]
    yield "started", f"{started:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {started:%Z}"
    yield "service", f"{text_of(item['service'])} {text_of(item['endpoint'])}"
    yield "model", text_of(item["model"])
    for name in ("job", "run", "layer", "key"):
        yield name, text_of(item[name])
    yield "tags", text_of(", ".join(f"{key}={value}" for key, value in item["tags"].items()) or None)
    yield "outcome", outcome_cell(item["status"], item["refused_by"])
    if item["http_status"] is not None:
        yield "http status", str(item["http_status"])
    if item["error"] is not None:
        yield "error", text_of(item["error"])
    yield "waited", _milliseconds(item["waited_ms"])
    first = f", first byte after {_milliseconds(item['ttft_ms'])}" if item["ttft_ms"] is not None else ""
    yield "took", _milliseconds(item["duration_ms"]) + first
    cached = f" ({item['cache_read_tokens']:,} from cache)" if item["cache_read_tokens"] else ""
    yield "tokens", f"{item['input_tokens']:,} in{cached}, {item['output_tokens']:,} out"
    yield "units", text_of(", ".join(f"{count:,} {unit}" for unit, count in item["units"].items()) or None)
    yield "reserved", usd(item["reserved_usd"])
    yield "cost", _cost(item)
    yield "price", text_of(item["price_version"])
    yield "trace", text_of(item["trace_id"])


def _refusal(refusal: Mapping[str, Any]) -> Iterator[str]:
    yield text_of(refusal.get("message"))
    yield f"rule {text_of(refusal.get('rule'))}"


def _milliseconds(value: float | None) -> str:
    return span(None if value is None else value / 1000)


def _cost(item: Mapping[str, Any]) -> str:
    if item["cost_usd"] is None:
        return "-" if item["status"] in {"refused", "reserved"} else "unpriced"
    if item["status"] == "refused":
        return "-"
    # What costs nothing is no estimate worth a sign.
    return ("~" if item["estimated"] and to_nano(item["cost_usd"]) else "") + usd(item["cost_usd"])
