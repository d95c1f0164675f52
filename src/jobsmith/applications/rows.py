"""Between rows and nouns: what is read of an application, and what of it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from sqlalchemy import func, select

from jobsmith.applications.history import Step, standing
from jobsmith.applications.periods import from_micros
from jobsmith.applications.record import Application, Entry, File, NoSuchApplication, Run, Status
from jobsmith.applications.schema import APPLICATIONS, ENTRIES, FILES, RUNS
from switchgear.money import to_usd

if TYPE_CHECKING:
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection, Row

__all__ = ["When", "add_entry", "application_of", "find", "settle", "whole"]

_LONGEST_NAME: Final = 200
_BY_TIME: Final = (func.coalesce(ENTRIES.c.at, ENTRIES.c.noted_at), ENTRIES.c.number)


class When(NamedTuple):
    """The moment of a change, in epoch microseconds, and where days are cut."""

    now: int
    zone: ZoneInfo


def find(connection: Connection, name: str, *, lock: bool = False) -> Row[Any]:
    """Return the row of the application whose id or job is *name*; *lock*: nobody else changes it meanwhile.

    Raises:
        NoSuchApplication: there is none.
    """
    query = select(APPLICATIONS).where((APPLICATIONS.c.id == name) | (APPLICATIONS.c.job == name))
    # An id is looked at first: it is ours, a job's name is anybody's.
    query = query.order_by(APPLICATIONS.c.id != name).limit(1)
    found = connection.execute(query.with_for_update() if lock else query).first()
    if found is None:
        msg = f"there is no application {name!r}"
        raise NoSuchApplication(msg)
    return found


def application_of(row: Row[Any], **parts: Any) -> Application:  # noqa: ANN401 - history, runs and files, as they are
    """Return *row* as an application, with *parts*."""
    return Application(
        id=row.id,
        job=row.job,
        role=row.role,
        company=row.company,
        place=row.place,
        url=row.url,
        status=cast("Status", row.status),
        applied_at=None if row.applied_at is None else from_micros(row.applied_at),
        fit=row.fit,
        cost_usd=_usd(row.cost_nano),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
        **parts,
    )


def whole(connection: Connection, row: Row[Any]) -> Application:
    """Return the application of *row* with its history, runs and files."""
    entries = connection.execute(select(ENTRIES).where(ENTRIES.c.application == row.id).order_by(*_BY_TIME))
    runs = connection.execute(select(RUNS).where(RUNS.c.application == row.id).order_by(RUNS.c.at, RUNS.c.run))
    files = connection.execute(select(FILES).where(FILES.c.application == row.id).order_by(FILES.c.name))
    return application_of(
        row,
        history=tuple(
            Entry(
                kind=entry.kind,
                at=None if entry.at is None else from_micros(entry.at),
                noted_at=from_micros(entry.noted_at),
                by=entry.by,
                status=entry.status,
                text=entry.text,
            )
            for entry in entries
        ),
        runs=tuple(Run(run=run.run, at=from_micros(run.at), cost_usd=_usd(run.cost_nano)) for run in runs),
        files=tuple(File(name=file.name, path=file.path, run=file.run) for file in files),
    )


def add_entry(connection: Connection, application: str, when: When, *, by: str, **entry: object) -> None:
    """Add *entry* (kind, at, status, text) to the history of *application*, whose row is locked."""
    newest = select(func.coalesce(func.max(ENTRIES.c.number), 0)).where(ENTRIES.c.application == application)
    values = {"by": by[:_LONGEST_NAME], "at": when.now, "status": None, "text": "", **entry}
    number = connection.execute(newest).scalar_one() + 1
    connection.execute(ENTRIES.insert().values(application=application, number=number, noted_at=when.now, **values))


def settle(connection: Connection, application: str, when: When) -> None:
    """Have the row of *application* say what follows from its history and its runs."""
    steps = connection.execute(
        select(ENTRIES.c.status, ENTRIES.c.at, ENTRIES.c.noted_at, ENTRIES.c.number).where(
            ENTRIES.c.application == application, ENTRIES.c.status.is_not(None)
        )
    )
    stands = standing((Step(*step) for step in steps), when.zone)
    costs = connection.execute(select(RUNS.c.cost_nano).where(RUNS.c.application == application)).scalars().all()
    connection.execute(
        APPLICATIONS.update()
        .where(APPLICATIONS.c.id == application)
        .values(
            status=stands.status,
            applied_at=stands.applied_at,
            cost_nano=None if None in costs else sum(costs),
            updated_at=when.now,
        )
    )


def _usd(nano: int | None) -> Decimal | None:
    return None if nano is None else to_usd(nano)
