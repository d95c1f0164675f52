"""The files that an import reads: their attempts as the ledger has them, or where they are not an export."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.errors import LedgerError, SwitchgearError
from switchgear.ledger.columns import COLUMNS, FieldError
from switchgear.ledger.export import require_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["ImportFileError", "Row", "rows_of"]

Row = dict[str, Any]
"""An attempt by the ledger's names."""

_LONGEST_FIELD: Final = 16 * 1024 * 1024
_PARQUET_ROWS: Final = 2_000
_BY_NAME: Final = {column.name: column for column in COLUMNS}
_NEEDED: Final = tuple(column.name for column in COLUMNS if not column.optional)


class ImportFileError(SwitchgearError):
    """The file is not what an export writes; *str()* of it names the line and says what is valid."""


@contextmanager
def rows_of(file: Path) -> Iterator[Iterator[tuple[int, Row]]]:
    """Yield the attempts in *file* as the ledger has them, each with its line (of Parquet: its row).

    ``.jsonl`` and ``.ndjson`` are JSON lines, ``.parquet`` is Parquet, anything else is CSV.

    Raises:
        ImportFileError: it can't be read, or is not what an export writes.
    """
    if file.suffix.lower() == ".parquet":
        with _parquet(file) as rows:
            yield _converted(rows, file)
        return
    read = _json_lines if file.suffix.lower() in {".jsonl", ".ndjson"} else _csv_lines
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield _converted(read(lines, file), file)
    except OSError as error:
        msg = f"{file}: can't be read: {error.strerror}"
        raise ImportFileError(msg) from None
    except UnicodeDecodeError:
        msg = f"{file}: is not UTF-8 text; an import reads CSV or JSON lines as `ledger export` writes them"
        raise ImportFileError(msg) from None


def _csv_lines(lines: Iterable[str], file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(_LONGEST_FIELD)
    table = csv.reader(lines, strict=True)
    try:
        header = next(table, [])
        _check_columns(header, file, 1)
        for cells in table:
            if len(cells) != len(header):
                msg = f"{file}:{table.line_num}: has {len(cells)} columns, the first line has {len(header)}"
                raise ImportFileError(msg)
            yield table.line_num, dict(zip(header, (cell or None for cell in cells), strict=True))
    except csv.Error as error:
        msg = f"{file}:{table.line_num}: is not CSV: {error}"
        raise ImportFileError(msg) from None


def _json_lines(lines: Iterable[str], file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = decoder.decode(line)
        except msgspec.MsgspecError as error:
            msg = f"{file}:{number}: is not one JSON object: {error}"
            raise ImportFileError(msg) from None
        _check_columns(list(found), file, number)
        yield number, found


@contextmanager
def _parquet(file: Path) -> Iterator[Iterator[tuple[int, Mapping[str, Any]]]]:
    try:
        require_format("parquet")
    except LedgerError as error:
        raise ImportFileError(str(error)) from None
    # An optional package, and one that brings no types.
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    try:
        with file.open("rb") as source, parquet.ParquetFile(source) as table:
            _check_columns(list(table.schema_arrow.names), file, 1)
            pages = (batch.to_pylist() for batch in table.iter_batches(_PARQUET_ROWS))
            yield enumerate((row for page in pages for row in page), start=1)
    except OSError as error:
        msg = f"{file}: can't be read: {error.strerror}"
        raise ImportFileError(msg) from None
    except arrow.ArrowException as error:
        msg = f"{file}: is not Parquet: {error}"
        raise ImportFileError(msg) from None


def _check_columns(names: list[str], file: Path, line: int) -> None:
    unknown = [name for name in names if name not in _BY_NAME]
    missing = [name for name in _NEEDED if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [
        f"{word} {', '.join(map(repr, found))}"
        for word, found in (("unknown:", unknown), ("missing:", missing), ("twice:", twice))
        if found
    ]
    if problems:
        msg = f"{file}:{line}: other columns than an export has ({'; '.join(problems)}). Valid: {', '.join(_BY_NAME)}"
        raise ImportFileError(msg)


def _converted(lines: Iterable[tuple[int, Mapping[str, Any]]], file: Path) -> Iterator[tuple[int, Row]]:
    for number, found in lines:
        row: Row = {}
        for name, column in _BY_NAME.items():
            value = found.get(name)
            try:
                if value is None and not column.optional:
                    msg = "is empty"
                    raise FieldError(msg)  # noqa: TRY301 - told like every other problem of the field
                row[column.of] = None if value is None else column.read(value)
            except FieldError as error:
                msg = f"{file}:{number}: {name}: {error}"
                raise ImportFileError(msg) from None
        yield number, row
