"""One job is forgotten: its name and all that could tell of it, while every sum stays what it was."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, insert, select, update

from switchgear.ledger.access import changing, note
from switchgear.ledger.balances import forget_job
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import reading
from switchgear.ledger.schema import SUMS, attempts, events, job_totals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Engine, RowMapping

    from switchgear.clock import Clock

__all__ = ["Erased", "erase_job"]

_STEP: Final = 500
_PAUSE: Final = 0.01
_FORGOTTEN: Final = {
    "job": None,
    "run": None,
    "tags": "{}",
    "refusal": None,
    "error": None,
    "trace_id": None,
    "span_id": None,
    "parent_span_id": None,
}
"""What an attempt tells of the job it was made for."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """How much was changed."""

    attempts: int
    totals: int
    events: int


def erase_job(
    engine: Engine, job: str, *, clock: Clock, by: str, progress: Callable[[int], None] = lambda _: None
) -> Erased:
    """Take *job* out of the ledger; its attempts stay as attempts of no job.

    Job, run, tags, trace, refusal and error text of each attempt are emptied, the job's totals are
    added to those of no job, events about it lose its name, and those of alerts about it are deleted.
    Roll-ups know no jobs. It goes in small steps, so a server may go on writing; what it records for
    the job later is new data. What budgets had counted for the job or for one of its runs is not found
    again at the next start; budgets that go by a tag keep what they had counted.

    The audit trail says that a job was erased and by whom, not which one.

    Raises:
        LedgerError: the ledger can't be written; run it again for the rest.
    """
    changed = 0
    with reading(engine) as connection:
        of_job = select(attempts.c.run).where(attempts.c.job == job, attempts.c.run.is_not(None)).distinct()
        runs = connection.execute(of_job).scalars().all()
    while True:
        with changing(engine) as connection:
            count = _forget_attempts(connection, job)
            changed += count
            if count == 0:
                totals = _move_what_is_left(connection, job)
                forget_job(connection, job, runs)
                named = _forget_events(connection, job)
                if changed or totals or named:
                    note(connection, "job_erased", {"attempts": changed, "by": by}, at_us=clock.moment().wall)
                return Erased(attempts=changed, totals=totals, events=named)
        progress(count)
        # Whoever waits to record a call has its turn.
        clock.sleep(_PAUSE)


def _forget_attempts(connection: Connection, job: str) -> int:
    """Forget some attempts of *job* and move their sums; return how many there were."""
    some = select(attempts.c.seq).where(attempts.c.job == job).limit(_STEP).scalar_subquery()
    forget = update(attempts).where(attempts.c.seq.in_(some)).values(_FORGOTTEN)
    columns = [attempts.c[name] for name in SUMS if name in attempts.c]
    found = connection.execute(forget.returning(attempts.c.status, *columns)).mappings().all()
    moved: dict[str, Counter[str]] = defaultdict(Counter)
    for row in found:
        if row["status"] != "reserved":
            moved[row["status"]].update(_counted(row))
    for status, sums in moved.items():
        _move(connection, job, status, sums)
    return len(found)


def _counted(row: RowMapping) -> dict[str, int]:
    """Return what one attempt adds to its job's totals."""
    went_out = row["status"] != "refused"
    sums = {name: row[name] or 0 for name in SUMS if name in row}
    unpriced = int(went_out and row["cost"] is None)
    return {**sums, "calls": 1, "unpriced": unpriced, "waited_us": row["waited_us"] if went_out else 0}


def _move(connection: Connection, job: str, status: str, sums: Mapping[str, int]) -> None:
    for name, sign in ((job, -1), ("", 1)):
        change = {column: job_totals.c[column] + sign * sums[column] for column in SUMS}
        where = (job_totals.c.job == name, job_totals.c.status == status)
        if connection.execute(update(job_totals).where(*where).values(change)).rowcount == 0:
            new = {column: sign * sums[column] for column in SUMS}
            connection.execute(insert(job_totals).values(job=name, status=status, **new))


def _move_what_is_left(connection: Connection, job: str) -> int:
    """Move the totals of attempts that were pruned long ago; return how many totals the job had."""
    left = connection.execute(select(job_totals).where(job_totals.c.job == job)).mappings().all()
    for row in left:
        _move(connection, job, row["status"], {name: row[name] for name in SUMS})
    connection.execute(delete(job_totals).where(job_totals.c.job == job))
    return len(left)


def _forget_events(connection: Connection, job: str) -> int:
    """Empty the name in events of budgets that there is one of for each job."""
    query = select(events.c.id, events.c.what).where(events.c.what.contains('"value":"'))
    count = 0
    for number, what in connection.execute(query).all():
        fields = msgspec.json.decode(what)
        if fields.get("value") == job:
            changed = json_text({**fields, "value": None})
            connection.execute(update(events).where(events.c.id == number).values(what=changed))
            count += 1
    return count + _forget_alerts(connection, job)


def _forget_alerts(connection: Connection, job: str) -> int:
    """Delete what is on record of alerts and silences whose labels name *job*: their names are made of them."""
    query = select(events.c.id, events.c.what).where(events.c.kind.in_(("alert_changed", "silence_changed")))
    about = [number for number, what in connection.execute(query).all() if _names(msgspec.json.decode(what), job)]
    for number in about:
        connection.execute(delete(events).where(events.c.id == number))
    return len(about)


def _names(what: dict[str, object], job: str) -> bool:
    alert = what.get("alert")
    labels = alert.get("labels") if isinstance(alert, dict) else what.get("matchers")
    return isinstance(labels, dict) and job in labels.values()
