"""Applications as CSV: written so that it can be read again, read so that nothing is un-applied."""

from __future__ import annotations

import csv
import io
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from sqlalchemy import select

from jobsmith.applications.changing import make
from jobsmith.applications.listing import rows_of
from jobsmith.applications.periods import from_micros
from jobsmith.applications.record import EDITABLE, SENT, STATUSES, BadApplication, Status, known_status
from jobsmith.applications.rows import add_entry, find, settle
from jobsmith.applications.schema import APPLICATIONS, RUNS
from jobsmith.applications.wording import date_of, line, note_of, read_fields
from switchgear.calls import new_call_id
from switchgear.money import to_nano, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

    from jobsmith.applications.listing import Wanted
    from jobsmith.applications.rows import When

__all__ = ["COLUMNS", "Imported", "compare", "lines_of", "read_rows", "take"]

COLUMNS: Final = ("id", "job", *EDITABLE, "status", "applied_at", "fit", "cost_usd", "note", "created_at", "updated_at")
"""In this order when written; when read in any, and none of them but ``status`` is needed."""

_WRITTEN_ONLY: Final = frozenset({"created_at", "updated_at"})
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MOST_ROWS: Final = 200_000
_MOST_PROBLEMS: Final = 20
_IMPORT: Final = "import"


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows of a file."""

    added: int
    changed: int
    unchanged: int


class Line(NamedTuple):
    """One row of a file; None: it does not say."""

    name: str | None
    job: str | None
    facts: dict[str, str]
    status: Status
    applied_at: int | None
    fit: int | None
    cost_nano: int | None
    note: str


def lines_of(connection: Connection, wanted: Wanted) -> Iterator[str]:
    """Yield the lines of the file."""
    yield _line(COLUMNS)
    for row in rows_of(connection, wanted):
        cost = None if row.cost_nano is None else format(to_usd(row.cost_nano), "f")
        facts = [_safe(getattr(row, name)) for name in EDITABLE]
        dates = [None if at is None else _rfc3339(at) for at in (row.applied_at, row.created_at, row.updated_at)]
        yield _line([row.id, _safe(row.job), *facts, row.status, dates[0], row.fit, cost, None, *dates[1:]])


def read_rows(text: str, when: When) -> list[Line]:
    """Return the rows of a file.

    Raises:
        BadApplication: each line of it says what is wrong with one row.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    found: list[Line] = []
    problems: list[str] = []
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            try:
                found.append(_read(dict(zip(header, cells, strict=True)), when))
            except (BadApplication, ValueError) as error:
                said = error if isinstance(error, BadApplication) else f"has {len(cells)} cells, not {len(header)}"
                problems.append(f"line {reader.line_num}: {said}")
            if len(found) > _MOST_ROWS or len(problems) == _MOST_PROBLEMS:
                problems.append("and perhaps more" if problems else f"more than {_MOST_ROWS:,} rows")
                break
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: is not CSV: {error}")
    if problems:
        raise BadApplication("\n".join(problems))
    return found


def compare(connection: Connection, rows: Sequence[Line]) -> Imported:
    """Return what *take* would do."""
    known = [_known(connection, row) for row in rows]
    changed = sum(old is not None and bool(_difference(old, row)) for old, row in zip(known, rows, strict=True))
    added = known.count(None)
    return Imported(added=added, changed=changed, unchanged=len(rows) - added - changed)


def take(connection: Connection, rows: Sequence[Line], when: When, *, by: str) -> Imported:
    """Take *rows* over: those that are known are brought up to date, the others added."""
    added = changed = 0
    for at, row in enumerate(rows):
        old = _known(connection, row)
        if old is None:
            # A microsecond apart, so that they are listed in the order of the file.
            _add(connection, row, when._replace(now=when.now - at), by=by)
            added += 1
        elif difference := _difference(old, row):
            _change(connection, old.id, row, difference, when, by=by)
            changed += 1
    return Imported(added=added, changed=changed, unchanged=len(rows) - added - changed)


def _header(cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if unknown := [name for name in names if name not in COLUMNS]:
        msg = f"line 1: unknown columns {', '.join(map(repr, unknown))}; known are {', '.join(COLUMNS)}"
        raise BadApplication(msg)
    if "status" not in names or len(set(names)) != len(names):
        msg = "line 1: a column is there twice" if "status" in names else "line 1: the column status is missing"
        raise BadApplication(msg)
    return names


def _read(cells: dict[str, str], when: When) -> Line:
    said = {name: _unsafe(cell.strip()) for name, cell in cells.items() if name not in _WRITTEN_ONLY and cell.strip()}
    facts = read_fields(**{name: said.get(name) for name in EDITABLE})
    job = line("job", said.get("job", "")) or None
    if not said.get("id") and not job and not (facts.get("role") or facts.get("company")):
        msg = "says neither id, job, role nor company"
        raise BadApplication(msg)
    status = known_status(said.get("status", "").lower())
    applied_at = said.get("applied_at")
    if applied_at and status in {"drafted", "ready"}:
        msg = f"has a date in applied_at, and the status {status}"
        raise BadApplication(msg)
    return Line(
        name=said.get("id"),
        job=job,
        facts=facts,
        status=status,
        applied_at=date_of(applied_at, when.zone, now=when.now) if applied_at else None,
        fit=_fit(said.get("fit")),
        cost_nano=_cost(said.get("cost_usd")),
        note=note_of(said.get("note", "")),
    )


def _fit(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or int(text) > 100:  # noqa: PLR2004 - the best
        msg = f"fit: {text!r} is not from 0 to 100"
        raise BadApplication(msg)
    return int(text)


def _cost(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        found = to_nano(Decimal(text.removeprefix("$")))
    except (InvalidOperation, ValueError):
        found = -1
    if found < 0:
        msg = f"cost_usd: {text!r} is not an amount such as 0.12"
        raise BadApplication(msg)
    return found


def _known(connection: Connection, row: Line) -> Row[Any] | None:
    """Return the record that *row* is of: by id, by job, or by what it is if it says neither."""
    columns = APPLICATIONS.c
    for column, value in ((columns.id, row.name), (columns.job, row.job)):
        if value is not None:
            found = connection.execute(select(APPLICATIONS).where(column == value)).first()
            if found is not None:
                return found
    if row.name is not None or row.job is not None:
        return None
    same = [columns[name] == row.facts.get(name, "") for name in ("role", "company", "url")]
    return connection.execute(select(APPLICATIONS).where(*same).order_by(columns.created_at).limit(1)).first()


def _difference(old: Row[Any], row: Line) -> dict[str, Any]:
    """Return what *row* says and *old* does not. An older file never takes back what was applied since."""
    found: dict[str, Any] = {name: text for name, text in row.facts.items() if text != getattr(old, name)}
    if row.fit is not None and row.fit != old.fit:
        found["fit"] = row.fit
    if STATUSES.index(row.status) > STATUSES.index(old.status) or (
        row.applied_at is not None and old.applied_at is None and row.status in SENT
    ):
        found["status"] = row.status
    return found


def _add(connection: Connection, row: Line, when: When, *, by: str) -> None:
    new_id = new_call_id(when.now) if row.name is None else line("id", row.name)
    make(connection, {"id": new_id, "job": row.job, **row.facts}, when)
    if row.fit is not None:
        connection.execute(APPLICATIONS.update().where(APPLICATIONS.c.id == new_id).values(fit=row.fit))
    if row.cost_nano:
        connection.execute(RUNS.insert().values(application=new_id, run=_IMPORT, at=when.now, cost_nano=row.cost_nano))
    _note_steps(connection, new_id, row, when, by=by)
    settle(connection, new_id, when)


def _change(
    connection: Connection, application: str, row: Line, difference: dict[str, Any], when: When, *, by: str
) -> None:
    find(connection, application, lock=True)
    columns = {name: value for name, value in difference.items() if name != "status"}
    if columns:
        connection.execute(APPLICATIONS.update().where(APPLICATIONS.c.id == application).values(**columns))
        add_entry(connection, application, when, by=by, kind="edit", text=f"imported: {', '.join(columns)}")
    if "status" in difference:
        _note_steps(connection, application, row, when, by=by)
    settle(connection, application, when)


def _note_steps(connection: Connection, application: str, row: Line, when: When, *, by: str) -> None:
    if row.applied_at is not None:
        add_entry(connection, application, when, by=by, kind="status", status="applied", at=row.applied_at)
    if row.status != "applied" or row.applied_at is None:
        # When it became so, the file does not say.
        add_entry(connection, application, when, by=by, kind="status", status=row.status, at=None)
    if row.note:
        add_entry(connection, application, when, by=by, kind="note", text=row.note)


def _rfc3339(at: int) -> str:
    return from_micros(at).isoformat().replace("+00:00", "Z")


def _safe(text: str | None) -> str | None:
    # A spreadsheet would run a text that begins like a formula.
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text


def _unsafe(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _line(cells: Sequence[object]) -> str:
    found = io.StringIO()
    csv.writer(found, lineterminator="\n").writerow(cells)
    return found.getvalue()
