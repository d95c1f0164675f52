"""Attempts out of the ledger into a file: CSV, JSON lines or Parquet, a page at a time."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import msgspec
from sqlalchemy import BigInteger, Integer, SmallInteger, func, select

from switchgear.errors import LedgerError
from switchgear.ledger.columns import COLUMNS
from switchgear.ledger.engine import reading
from switchgear.ledger.schema import NOT_OK, attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import ColumnElement, Engine

__all__ = ["FORMATS", "Format", "attempts_in", "export", "require_format"]

Format = Literal["csv", "jsonl", "parquet"]
"""What can be written."""

FORMATS: Final[tuple[Format, ...]] = ("csv", "jsonl", "parquet")

_PAGE: Final = 2_000
_Values = dict[str, Any]


def require_format(format_: Format) -> None:
    """Raise LedgerError unless *format_* can be written on this machine."""
    if format_ == "parquet" and find_spec("pyarrow") is None:
        msg = 'Parquet needs a package: pip install "switchgear[parquet]"; "csv" and "jsonl" need nothing'
        raise LedgerError(msg)


def attempts_in(engine: Engine, *, since: int | None, until: int | None) -> tuple[int, int]:
    """Return how many attempts began from *since* to before *until* and are over, and how many are still on the wire.

    Raises:
        LedgerError: the ledger can't be read.
    """
    where = _between(since, until)
    every = select(func.count()).select_from(attempts).where(*where)
    flying = every.where(attempts.c.status == "reserved", NOT_OK)
    with reading(engine) as connection:
        open_ = connection.execute(flying).scalar_one()
        return connection.execute(every).scalar_one() - open_, open_


def export(
    engine: Engine,
    file: IO[bytes],
    format_: Format,
    *,
    since: int | None = None,
    until: int | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write every attempt that is over to *file*, in the order it was recorded in; return how many there were.

    It reads a page at a time, so it holds no snapshot of the ledger and next to no memory, and a
    server may go on writing. Attempts on the wire are left out.

    Args:
        engine: the ledger.
        file: where to.
        format_: see *require_format*.
        since: epoch microseconds, inclusive; None: from the first.
        until: epoch microseconds, exclusive; None: to the last.
        progress: is told how many each page had.

    Raises:
        LedgerError: the ledger can't be read.
    """
    written = 0
    with _WRITERS[format_](file) as write:
        for page in _pages(engine, since, until):
            write(page)
            written += len(page)
            progress(len(page))
    return written


def _pages(engine: Engine, since: int | None, until: int | None) -> Iterator[list[_Values]]:
    where = (*_between(since, until), attempts.c.status != "reserved")
    with reading(engine) as connection:
        bounds = select(func.min(attempts.c.seq), func.max(attempts.c.seq)).where(*_between(since, until))
        first, last = connection.execute(bounds).one()
    if first is None:
        return
    after = first - 1
    columns = [attempts.c[column.of] for column in COLUMNS]
    query = select(attempts.c.seq, *columns).where(*where).order_by(attempts.c.seq).limit(_PAGE)
    while True:
        with reading(engine) as connection:
            rows = connection.execute(query.where(attempts.c.seq > after, attempts.c.seq <= last)).all()
        if rows:
            yield [_written(row) for row in rows]
            after = rows[-1][0]
        if len(rows) < _PAGE:
            return


def _written(row: Sequence[Any]) -> _Values:
    values = zip(COLUMNS, row[1:], strict=True)
    return {column.name: None if value is None else column.write(value) for column, value in values}


def _between(since: int | None, until: int | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if since is not None:
        where.append(attempts.c.started_at >= since)
    if until is not None:
        where.append(attempts.c.started_at < until)
    return where


@contextmanager
def _csv(file: IO[bytes]) -> Iterator[Callable[[Sequence[_Values]], None]]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([column.name for column in COLUMNS])

    def write(page: Sequence[_Values]) -> None:
        lines.writerows([_csv_cell(value) for value in row.values()] for row in page)

    try:
        yield write
    finally:
        text.detach()  # the file is the caller's to close


def _csv_cell(value: Any) -> Any:  # noqa: ANN401 - whatever a column has
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


@contextmanager
def _jsonl(file: IO[bytes]) -> Iterator[Callable[[Sequence[_Values]], None]]:
    encoder = msgspec.json.Encoder()

    def write(page: Sequence[_Values]) -> None:
        file.write(encoder.encode_lines(page))

    yield write


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Callable[[Sequence[_Values]], None]]:
    require_format("parquet")
    # An optional package, and one that brings no types.
    pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")

    def kind(of: str) -> Any:  # noqa: ANN401 - pyarrow has no types
        type_ = attempts.c[of].type
        if isinstance(type_, SmallInteger):
            return pa.bool_()
        is_count = isinstance(type_, BigInteger | Integer) and of not in {"started_at", "reserved", "cost"}
        return pa.int64() if is_count else pa.string()

    schema = pa.schema([pa.field(column.name, kind(column.of), nullable=column.optional) for column in COLUMNS])
    with parquet.ParquetWriter(file, schema) as writer:

        def write(page: Sequence[_Values]) -> None:
            rows = [{name: _json_cell(value) for name, value in row.items()} for row in page]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))

        yield write


def _json_cell(value: Any) -> Any:  # noqa: ANN401 - whatever a column has
    return msgspec.json.encode(value).decode() if isinstance(value, dict) else value


_WRITERS: Final = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
