"""A trace of calls in a CSV file, for a back-test without a ledger: when, how much in, how much out."""

from __future__ import annotations

import csv
import datetime as dt
from typing import TYPE_CHECKING, Final

from switchgear.calls import Usage
from switchgear.clock import MICROS
from switchgear.insight.days import to_micros
from switchgear.ledger.recorded import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.insight.questions import Span
    from switchgear.policies.pricing import PriceBook

__all__ = ["COLUMNS", "BadTrace", "read_trace"]

COLUMNS: Final = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
"""What a trace has; other columns are ignored."""

_MICROS_A_TOKEN: Final = MICROS // 50
"""A trace does not tell how long calls took: they are taken to put out 50 tokens a second."""


class BadTrace(ValueError):
    """The file is no trace; *str()* of it names the line and what is expected."""


def read_trace(file: Path, *, service: str, model: str | None, book: PriceBook, span: Span) -> Iterator[Recorded]:
    """Yield the calls of *file* as if *service* had been asked for them, at the price that *model* had then.

    They must be in order of time. Instants without a time zone are UTC.

    Raises:
        BadTrace: other columns, a value that is none, or a line that goes back in time.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _read(csv.DictReader(lines), file, service, model, book, span)
    except OSError as error:
        msg = f"{file}: can't be read: {error.strerror}"
        raise BadTrace(msg) from None
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{file}: is not a CSV file in UTF-8: {error}"
        raise BadTrace(msg) from None


def _read(
    table: csv.DictReader[str], file: Path, service: str, model: str | None, book: PriceBook, span: Span
) -> Iterator[Recorded]:
    header = table.fieldnames or []
    if missing := [name for name in COLUMNS if name not in header]:
        have = ", ".join(header) or "none"
        msg = f"{file}: has the columns {have}; missing: {', '.join(missing)}. A trace has {', '.join(COLUMNS)}"
        raise BadTrace(msg)
    last = 0
    for row in table:
        where = f"{file}:{table.line_num}"
        at = _instant(row[COLUMNS[0]], where)
        if at < last:
            msg = f"{where}: {COLUMNS[0]}: {row[COLUMNS[0]]} lies before the line above; sort the trace by time"
            raise BadTrace(msg)
        last = at
        tokens_in, tokens_out = (_count(row[name], f"{where}: {name}") for name in COLUMNS[1:])
        if span.until is not None and at >= span.until:
            return
        if span.since is not None and at < span.since:
            continue
        price = book.price(service, model, at)
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out)
        cost = None if price is None else book.cost(price, usage)
        yield Recorded(
            asked_at=at,
            call_id=str(table.line_num),
            attempt=1,
            service=service,
            model=model,
            job=None,
            run=None,
            layer=None,
            key=None,
            tags="{}",
            status="ok",
            refused_by=None,
            http_status=None,
            tokens=usage.tokens,
            worst=cost,
            cost=cost,
            waited_us=0,
            duration_us=tokens_out * _MICROS_A_TOKEN,
        )


def _instant(text: str | None, where: str) -> int:
    try:
        found = dt.datetime.fromisoformat(text or "")
        return to_micros(found if found.tzinfo else found.replace(tzinfo=dt.UTC))
    except (ValueError, OverflowError):
        msg = f"{where}: {COLUMNS[0]}: not an instant such as 2026-11-24 13:00:00.5: {text!r}"
        raise BadTrace(msg) from None


def _count(text: str | None, where: str) -> int:
    if text is None or not text.isascii() or not text.isdigit():
        msg = f"{where}: not a whole number from 0 on: {text!r}"
        raise BadTrace(msg)
    return int(text)
