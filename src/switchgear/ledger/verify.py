"""Do the sums add up? Roll-ups and job totals against the attempts they were made of, and their repair.

What was pruned can't be added up again. So only roll-ups younger than the last pruning are
compared, and of job totals only what must hold all the same: they add up to the roll-ups, and no job
has less than its attempts that are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import and_, case, delete, func, insert, literal, or_, select, union_all, update

from switchgear.ledger.access import changing, note
from switchgear.ledger.engine import reading
from switchgear.ledger.retention import pruned_before
from switchgear.ledger.schema import BUCKET_US, SLOT_US, SUMS, attempts, job_totals, rollup_changes, rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Select, Table

__all__ = ["Difference", "Verification", "repair", "verify"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One group whose sums are not those of its attempts.

    Attributes:
        table: ``rollups`` or ``job_totals``.
        group: its key; ``bucket_start`` in epoch microseconds, other empty values mean "none".
        expected: by name, the sums that differ, as they should be.
        found: the same sums as they are.
        repairable: the attempts that tell the truth are all there.
    """

    table: str
    group: dict[str, int | str]
    expected: dict[str, int]
    found: dict[str, int]
    repairable: bool


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared, all at one moment of the ledger.

    Attributes:
        attempts: how many were added up.
        groups: how many roll-ups and job totals they were compared with.
        since: roll-ups before this epoch microsecond were left out, since their attempts were pruned;
            None: nothing was ever pruned.
        differences: in order of table and group; empty: all is well.
        repaired: how many of them are repaired now.
    """

    attempts: int
    groups: int
    since: int | None
    differences: tuple[Difference, ...]
    repaired: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing is left that differs."""
        return self.repaired == len(self.differences)


_OVER: Final = attempts.c.status != "reserved"
_ROLLUP_KEY: Final[tuple[ColumnElement[Any], ...]] = (
    attempts.c.started_at - attempts.c.started_at % BUCKET_US,
    attempts.c.service,
    func.coalesce(attempts.c.model, ""),
    func.coalesce(attempts.c.layer, ""),
    func.coalesce(attempts.c.key, ""),
    attempts.c.status,
)
_JOB_KEY: Final[tuple[ColumnElement[Any], ...]] = (func.coalesce(attempts.c.job, ""), attempts.c.status)


def verify(engine: Engine) -> Verification:
    """Compare every sum with the attempts behind it; a server may go on writing meanwhile.

    Raises:
        LedgerError: the ledger can't be read.
    """
    with reading(engine) as connection:
        return _compare(connection)


def repair(engine: Engine, *, now_us: int, by: str) -> Verification:
    """Compare as *verify* does, and put every repairable group right, all in one transaction.

    The ledger must be opened alone. What was repaired is entered in the audit trail, with *by*.

    Raises:
        LedgerError: nothing was changed.
    """
    with changing(engine) as connection:
        found = _compare(connection)
        wrong = [one for one in found.differences if one.repairable]
        for one in wrong:
            _put_right(connection, rollups if one.table == rollups.name else job_totals, one)
        starts = {int(one.group["bucket_start"]) for one in wrong if one.table == rollups.name}
        _note_changes(connection, sorted({start - start % SLOT_US for start in starts}))
        if wrong:
            note(connection, "sums_repaired", {"groups": len(wrong), "by": by}, at_us=now_us)
    return msgspec.structs.replace(found, repaired=len(wrong))


def _compare(connection: Connection) -> Verification:
    since = pruned_before(connection)
    differences = [*_rollup_differences(connection, since)]
    if since is None:
        differences += _differences(connection, job_totals, _by_rows(_JOB_KEY, job_totals), _as_kept(job_totals))
    else:
        differences += _pruned_job_differences(connection)
    added = select(func.count()).select_from(attempts).where(_OVER)
    compared = select(func.count()).select_from(rollups)
    if since is not None:
        added = added.where(attempts.c.started_at >= since)
        compared = compared.where(rollups.c.bucket_start >= since)
    jobs = select(func.count()).select_from(job_totals)
    return Verification(
        attempts=connection.execute(added).scalar_one(),
        groups=connection.execute(compared).scalar_one() + connection.execute(jobs).scalar_one(),
        since=since,
        differences=tuple(differences),
    )


def _rollup_differences(connection: Connection, since: int | None) -> list[Difference]:
    by_rows, kept = _by_rows(_ROLLUP_KEY, rollups), _as_kept(rollups)
    if since is not None:
        by_rows = by_rows.where(attempts.c.started_at >= since)
        kept = kept.where(rollups.c.bucket_start >= since)
    return _differences(connection, rollups, by_rows, kept)


def _pruned_job_differences(connection: Connection) -> list[Difference]:
    less = _differences(
        connection,
        job_totals,
        _by_rows(_JOB_KEY, job_totals),
        _as_kept(job_totals),
        differs=lambda expected, found: found < expected,
        repairable=False,
    )
    every: Sequence[Select[Any]] = [
        select(
            literal("(all jobs)").label("job"),
            table.c.status.label("status"),
            *(func.sum(table.c[name] * sign).label(f"{side}_{name}") for side, sign in sides for name in SUMS),
        ).group_by(table.c.status)
        for table, sides in (
            (rollups, (("expected", 1), ("found", 0))),
            (job_totals, (("expected", 0), ("found", 1))),
        )
    ]
    return [*less, *_differences(connection, job_totals, *every, repairable=False)]


def _by_rows(key: Sequence[ColumnElement[Any]], table: Table) -> Select[Any]:
    """Select what *table* should have: its key, the sums of the attempts, and a 0 for each sum it has."""
    names = [column.name for column in table.primary_key]
    went_out = attempts.c.status != "refused"
    sums: dict[str, ColumnElement[Any]] = {name: func.sum(func.coalesce(attempts.c[name], 0)) for name in _PLAIN}
    sums["calls"] = func.count()
    sums["unpriced"] = func.sum(case((and_(went_out, attempts.c.cost.is_(None)), 1), else_=0))
    sums["waited_us"] = func.sum(case((went_out, attempts.c.waited_us), else_=0))
    return (
        select(
            *(column.label(name) for name, column in zip(names, key, strict=True)),
            *(sums[name].label(f"expected_{name}") for name in SUMS),
            *(literal(0).label(f"found_{name}") for name in SUMS),
        )
        .where(_OVER)
        .group_by(*key)
    )


_PLAIN: Final = tuple(name for name in SUMS if name not in {"calls", "unpriced", "waited_us"})
"""Sums whose name is that of a column of attempts, and that count every attempt that is over."""


def _as_kept(table: Table) -> Select[Any]:
    """Select what *table* has, in the columns of *_by_rows*."""
    return select(
        *(column.label(column.name) for column in table.primary_key),
        *(literal(0).label(f"expected_{name}") for name in SUMS),
        *(table.c[name].label(f"found_{name}") for name in SUMS),
    )


def _differences(
    connection: Connection,
    table: Table,
    *sides: Select[Any],
    differs: Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]] = lambda one, other: one != other,
    repairable: bool = True,
) -> list[Difference]:
    """Return the groups of *table* for which the sums of *sides*, added up, differ; the database compares."""
    both = union_all(*sides).subquery()
    names = [column.name for column in table.primary_key]
    key = [both.c[name] for name in names]
    expected = {name: func.sum(both.c[f"expected_{name}"]) for name in SUMS}
    found = {name: func.sum(both.c[f"found_{name}"]) for name in SUMS}
    query = (
        select(*key, *expected.values(), *found.values())
        .group_by(*key)
        .having(or_(*(differs(expected[name], found[name]) for name in SUMS)))
        .order_by(*key)
    )
    return [
        _difference(table, dict(zip(names, row, strict=False)), row[len(names) :], repairable=repairable)
        for row in connection.execute(query)
    ]


def _difference(table: Table, group: dict[str, Any], sums: Sequence[Any], *, repairable: bool) -> Difference:
    expected = dict(zip(SUMS, map(int, sums), strict=False))
    found = dict(zip(SUMS, map(int, sums[len(SUMS) :]), strict=True))
    wrong = [name for name in SUMS if expected[name] != found[name]]
    return Difference(
        table=table.name,
        group=group,
        expected={name: expected[name] for name in wrong},
        found={name: found[name] for name in wrong},
        repairable=repairable,
    )


def _put_right(connection: Connection, table: Table, wrong: Difference) -> None:
    """Write what *wrong* should be; the sums that it does not name are right already."""
    where = [table.c[name] == value for name, value in wrong.group.items()]
    if wrong.expected.get("calls") == 0:
        connection.execute(delete(table).where(*where))
    elif connection.execute(update(table).where(*where).values(wrong.expected)).rowcount == 0:
        connection.execute(insert(table).values({**wrong.group, **dict.fromkeys(SUMS, 0), **wrong.expected}))


def _note_changes(connection: Connection, slots: Sequence[int]) -> None:
    """Whoever remembers a sum over one of the hours *slots* reads it anew."""
    for slot in slots:
        change = update(rollup_changes).where(rollup_changes.c.slot == slot)
        if connection.execute(change.values(changes=rollup_changes.c.changes + 1)).rowcount == 0:
            connection.execute(insert(rollup_changes).values(slot=slot, changes=1))
