"""What changes an application, each within the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy.dialects import postgresql, sqlite

from jobsmith.applications.history import advances
from jobsmith.applications.record import EDITABLE, BadApplication
from jobsmith.applications.rows import add_entry, find, settle
from jobsmith.applications.schema import APPLICATIONS, FILES, RUNS
from jobsmith.applications.wording import line, note_of, read_fields
from switchgear.calls import new_call_id
from switchgear.money import to_nano

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from pathlib import Path

    from sqlalchemy import Connection, Table
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

    from jobsmith.applications.record import Status
    from jobsmith.applications.rows import When

__all__ = ["Said", "add_note", "edit", "make", "record", "set_status"]

_BEST_FIT: Final = 100


class Said(NamedTuple):
    """What a run says of its job; see *Applications.record*."""

    job: str
    run: str | None
    status: Status
    fit: int | None
    cost_usd: Decimal | None
    files: Mapping[str, str | Path]
    by: str
    facts: Mapping[str, str]


def record(connection: Connection, said: Said, when: When) -> str:
    """Make or bring up to date what *said* is of; return the application's id."""
    job = line("job", said.job)
    if not job:
        msg = "job: is empty"
        raise BadApplication(msg)
    if unknown := said.facts.keys() - set(EDITABLE):
        msg = f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(EDITABLE)}"
        raise BadApplication(msg)
    if said.fit is not None and not 0 <= said.fit <= _BEST_FIT:
        msg = f"fit: {said.fit} is not from 0 to 100"
        raise BadApplication(msg)
    facts = read_fields(**said.facts)
    is_new = make(connection, {"job": job, **facts}, when)
    row = find(connection, job, lock=True)
    filled = {name: text for name, text in facts.items() if not getattr(row, name)}
    if said.fit is not None:
        filled["fit"] = said.fit  # type: ignore[assignment]  # values of columns: text, and this number
    if filled:
        connection.execute(APPLICATIONS.update().where(APPLICATIONS.c.id == row.id).values(**filled))
    if advances(None if is_new else row.status, said.status):
        add_entry(connection, row.id, when, by=said.by, kind="status", status=said.status)
    if said.run is not None:
        _note_run(connection, row.id, said, when)
    for name, path in said.files.items():
        _upsert(
            connection,
            FILES,
            {"application": row.id, "name": line("file", name)},
            {"path": str(path), "run": said.run},
        )
    settle(connection, row.id, when)
    return str(row.id)


def make(connection: Connection, facts: Mapping[str, str | None], when: When) -> bool:
    """Add an application without a history, if none has its job; tell whether it was added."""
    values = {
        "id": new_call_id(when.now),
        **dict.fromkeys(EDITABLE, ""),
        **facts,
        "status": "drafted",
        "cost_nano": 0,
        "created_at": when.now,
        "updated_at": when.now,
    }
    statement = _insert(connection, APPLICATIONS).values(values).on_conflict_do_nothing()
    return connection.execute(statement.returning(APPLICATIONS.c.id)).first() is not None


def set_status(connection: Connection, name: str, status: Status, when: When, *, at: int, note: str, by: str) -> str:
    """Add a status of the time *at* to the history; return the application's id."""
    row = find(connection, name, lock=True)
    add_entry(connection, row.id, when, by=by, kind="status", at=at, status=status, text=note_of(note))
    settle(connection, row.id, when)
    return str(row.id)


def add_note(connection: Connection, name: str, text: str, when: When, *, by: str) -> str:
    """Add a note to the history; return the application's id."""
    note = note_of(text)
    if not note:
        msg = "note: is empty"
        raise BadApplication(msg)
    row = find(connection, name, lock=True)
    add_entry(connection, row.id, when, by=by, kind="note", text=note)
    settle(connection, row.id, when)
    return str(row.id)


def edit(connection: Connection, name: str, facts: Mapping[str, str | None], when: When, *, by: str) -> str:
    """Change *facts*, with what they were in the history; return the application's id."""
    given = read_fields(**facts)
    row = find(connection, name, lock=True)
    changed = {key: text for key, text in given.items() if text != getattr(row, key)}
    if changed:
        told = "\n".join(f"{key}: {getattr(row, key) or '-'} -> {text or '-'}" for key, text in changed.items())
        connection.execute(APPLICATIONS.update().where(APPLICATIONS.c.id == row.id).values(**changed))
        add_entry(connection, row.id, when, by=by, kind="edit", text=told)
        settle(connection, row.id, when)
    return str(row.id)


def _note_run(connection: Connection, application: str, said: Said, when: When) -> None:
    cost = None if said.cost_usd is None else to_nano(said.cost_usd)
    # When it is said again, the run is as old as it was.
    key = {"application": application, "run": line("run", said.run or "")}
    _upsert(connection, RUNS, {**key, "at": when.now}, {"cost_nano": cost})


def _upsert(connection: Connection, table: Table, key: Mapping[str, object], values: Mapping[str, object]) -> None:
    statement = _insert(connection, table).values({**key, **values})
    index = [column.name for column in table.primary_key]
    connection.execute(statement.on_conflict_do_update(index_elements=index, set_=dict(values)))


def _insert(connection: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
