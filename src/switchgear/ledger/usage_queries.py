"""Questions of usage and cost: exact sums, from roll-ups where they have it, else from the attempts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import BigInteger, case, func, literal, select

from switchgear.ledger.engine import reading
from switchgear.ledger.pieces import Pieces
from switchgear.ledger.schema import BUCKET_US, SUMS, WITH_UNITS, attempts, job_totals, rollups
from switchgear.ledger.spend_history import spend_history
from switchgear.ledger.usage_views import UnitSum, UsageSum
from switchgear.ledger.views import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Select, Table

    from switchgear.ledger.pieces import Piece
    from switchgear.ledger.usage_views import Asked, Cut, Steps, UsageFilter

__all__ = ["UsageReader"]

_STATUSES: Final = ("ok", "failed", "refused", "cancelled", "orphaned")
_EQUAL: Final = ("service", "model", "layer", "key")
_TAG: Final = "tag."
_NAMES: Final = (*SUMS, *_STATUSES)

# Two looks at an index; asked for together, SQLite would read every roll-up.
_EXTENT: Final = select(
    select(func.min(rollups.c.bucket_start)).scalar_subquery(),
    select(func.max(rollups.c.bucket_start)).scalar_subquery(),
)


class UsageReader:
    """Reads over connections of its own. Every method raises LedgerError when the ledger can't be read."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._pieces: Final = Pieces()

    def extent(self) -> tuple[int, int] | None:
        """Return from when to when there are roll-ups, whole quarters of an hour; None: there are none."""
        with reading(self._engine) as connection:
            found = connection.execute(_EXTENT).one()
        return None if found[0] is None else (int(found[0]), int(found[1]) + BUCKET_US)

    def rollup_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> list[UsageSum]:
        """Return sums over roll-ups for each group of *by*, any of ``ROLLED_UP``, and each piece of *cut*."""
        with reading(self._engine) as connection:
            return list(_sums(connection, _rolled_up(where, by, cut), by))

    def rollup_pieces(self, asked: Asked, edges: Sequence[int]) -> list[Piece]:
        """Return the sums of *asked* between each two of *edges*, rising whole quarters of an hour.

        A piece in which nothing has changed since is the very one that was returned before. No piece
        of the cut may lie across an edge.
        """

        def read(start: int, end: int) -> Iterator[UsageSum]:
            where = msgspec.structs.replace(asked.where, since=start, until=end)
            return _sums(connection, _rolled_up(where, asked.by, asked.cut), asked.by)

        with reading(self._engine) as connection:
            return self._pieces.read(connection, asked, edges, read)

    def job_sums(self) -> list[UsageSum]:
        """Return the sums of each job since the first call, rows that are no longer kept included."""
        job = job_totals.c.job
        query = _cut(select(*_added(job_totals)), literal(0), [job], None)
        with reading(self._engine) as connection:
            return list(_sums(connection, query, ("job",)))

    def row_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> list[UsageSum]:
        """Return the same from the attempts that are kept, also by ``job``, ``run`` and ``tag.<name>``.

        A group may come several times where tags are asked for: add them up.
        """
        groups, start = _facets(by), attempts.c.started_at
        went_out = attempts.c.status != "refused"
        sums: dict[str, ColumnElement[int]] = {name: func.sum(attempts.c[name]) for name in SUMS if name in attempts.c}
        sums["calls"] = func.count()
        sums["cost"] = func.coalesce(func.sum(attempts.c.cost), 0)
        sums["duration_us"] = func.coalesce(func.sum(attempts.c.duration_us), 0)
        sums["unpriced"] = func.count().filter(attempts.c.cost.is_(None), went_out)
        sums["waited_us"] = func.coalesce(func.sum(attempts.c.waited_us).filter(went_out), 0)
        counts = _counts(literal(1), attempts)
        query = _cut(select(*(sums[name] for name in SUMS), *counts), start, groups, cut)
        with reading(self._engine) as connection:
            return list(_sums(connection, _over(query, where), by))

    def units(self, where: UsageFilter, *, by: Sequence[str] = ()) -> list[UnitSum]:
        """Return the units that are no tokens, of the attempts that are kept; groups may come several times."""
        groups = _facets(by)
        query = select(func.count(), attempts.c.units, *groups).group_by(attempts.c.units, *groups)
        query = _over(query, where).where(WITH_UNITS)
        with reading(self._engine) as connection:
            found: Sequence[Sequence[Any]] = connection.execute(query).all()
        return [
            UnitSum(
                group=_named(by, row[2:]),
                units={unit: number * row[0] for unit, number in msgspec.json.decode(row[1]).items()},
            )
            for row in found
        ]

    def history(
        self, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None
    ) -> dict[str | None, dict[int, int]]:
        """Return what a budget's calls used, step by step; see *spend_history*."""
        return spend_history(self._engine, steps, tokens=tokens, match=match, each=each)


def _rolled_up(where: UsageFilter, by: Sequence[str], cut: Cut | None) -> Select[*tuple[int, ...]]:
    groups: list[ColumnElement[str]] = [rollups.c[name] for name in by]
    start = rollups.c.bucket_start
    return _within(_cut(select(*_added(rollups)), start, groups, cut), where, rollups, start)


def _sums(connection: Connection, query: Select[*tuple[int, ...]], by: Sequence[str]) -> Iterator[UsageSum]:
    found: Sequence[Sequence[Any]] = connection.execute(query).all()
    first = len(_NAMES)
    named: dict[tuple[str | None, ...], tuple[tuple[str | None, ...], dict[str, str | None]]] = {}
    for row in found:
        if not row[0]:
            continue  # sums over nothing are one row of NULL
        raw = tuple(row[first + 1 :])
        # Groups come again in every piece of time: one dictionary serves for all.
        if (known := named.get(raw)) is None:
            group = _named(by, raw)
            known = named[raw] = (group, dict(zip(by, group, strict=True)))
        at = None if row[first] is None else int(row[first])
        totals = Totals(group=known[1], bucket=at, **dict(zip(_NAMES, map(int, row[:first]), strict=True)))
        yield UsageSum(at, known[0], totals)


@cache  # to put these together takes longer than to ask SQLite for them
def _added(table: Table) -> list[ColumnElement[int]]:
    return [*(func.sum(table.c[name]) for name in SUMS), *_counts(table.c.calls, table)]


def _counts(number: ColumnElement[int], table: Table) -> list[ColumnElement[int]]:
    return [func.coalesce(func.sum(number).filter(table.c.status == status), 0) for status in _STATUSES]


def _cut(
    query: Select[*tuple[int, ...]],
    start: ColumnElement[int],
    groups: Sequence[ColumnElement[str]],
    cut: Cut | None,
) -> Select[*tuple[int, ...]]:
    """Add an instant of the piece of time and the *groups*, and group by both."""
    if cut is None:
        return query.add_columns(literal(None), *groups).group_by(*groups)
    shifts = [literal(shift, BigInteger) for _, shift in cut.shifts]
    shift: ColumnElement[int] = shifts[-1]
    if len(shifts) > 1:
        befores = [before for before, _ in cut.shifts[:-1]]
        shift = case(*((start < before, value) for before, value in zip(befores, shifts, strict=False)), else_=shift)
    local = start + shift
    piece = local - local % literal(cut.size_us, BigInteger)
    return query.add_columns(func.min(start), *groups).group_by(piece, *groups)


def _within(
    query: Select[*tuple[int, ...]], where: UsageFilter, table: Table, start: ColumnElement[int]
) -> Select[*tuple[int, ...]]:
    for name in _EQUAL:
        if (wanted := getattr(where, name)) is not None:
            query = query.where(table.c[name] == wanted)
    if where.since is not None:
        query = query.where(start >= where.since)
    if where.until is not None:
        query = query.where(start < where.until)
    return query


def _over(query: Select[*tuple[int, ...]], where: UsageFilter) -> Select[*tuple[int, ...]]:
    """Restrict *query* to the attempts of *where* that are over, as roll-ups do."""
    for name in ("job", "run"):
        if (wanted := getattr(where, name)) is not None:
            query = query.where(attempts.c[name] == wanted)
    return _within(query, where, attempts, attempts.c.started_at).where(attempts.c.status != "reserved")


def _facets(by: Iterable[str]) -> list[ColumnElement[str]]:
    # Tags are taken apart in Python: no two databases read JSON alike.
    return [attempts.c.tags if name.startswith(_TAG) else attempts.c[name] for name in by]


def _named(by: Sequence[str], values: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return the values of a group; an empty one is none."""
    return tuple(
        (msgspec.json.decode(value).get(name.removeprefix(_TAG)) or None)
        if value and name.startswith(_TAG)
        else value or None
        for name, value in zip(by, values, strict=True)
    )
