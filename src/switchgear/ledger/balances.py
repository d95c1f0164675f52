"""What budgets have spent, carried forward: no start adds up all that was ever called.

A budget is told apart by what it counts, not by its name: see *Counted*. For each there is a mark,
the last attempt that is in its sums; all up to it are over, so they change no more. What a budget has spent
is its sums and the attempts after the mark. Sums outlive their attempts, so pruning changes no budget.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import case, delete, func, insert, select, text, update

from switchgear.ledger.access import changing, note, pruned_before
from switchgear.ledger.counted import TAG, Counted, Spend
from switchgear.ledger.engine import reading
from switchgear.ledger.schema import BUCKET_US, NOT_OK, attempts, budget_marks, budget_sums, rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine

__all__ = ["STEP", "carried_for", "carried_to", "carry_forward", "forget_job", "spend"]

_PLAIN: Final = {
    "service": attempts.c.service,
    "model": attempts.c.asked_model,
    "job": attempts.c.job,
    "run": attempts.c.run,
    "layer": attempts.c.layer,
    "key": attempts.c.key,
}
_ROLLED_UP: Final = frozenset({"service", "layer", "key"})
"""Roll-ups know the model that was billed; budgets go by the one that was asked for."""

STEP: Final = 5_000
"""Attempts that are carried forward in one transaction: a few milliseconds."""

_GRACE_US: Final = 2 * 86_400_000_000
"""Sums of a period that is over are kept for so long, in case that the clock is set back."""

_decode_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


_Sums = dict[tuple[str, int], list[int]]
"""Cost, tokens and unpriced calls by value and start."""


def spend(engine: Engine, counted: Counted, *, now_us: int) -> dict[str | None, Spend]:
    """Return what *counted* has spent in its period at *now_us*, by the value of *each*; None: all of it.

    Nothing is written. Without a mark every attempt of the period is read.

    Raises:
        LedgerError: the ledger can't be read.
    """
    since = counted.since(now_us)
    started_at, seq = attempts.c.started_at, attempts.c.seq
    of_marks = select(budget_marks.c.seq).where(budget_marks.c.counted == counted.text)
    found: _Sums = {}
    with reading(engine) as connection:
        mark = connection.execute(of_marks).scalar_one_or_none()
        if mark is None:
            _count(connection, {counted: found}, started_at >= since)
        else:
            whole = begun = counted.start_of(since)
            if begun < since and (pruned_before(connection) or 0) <= since:
                # Of the first piece only a part counts. Where its attempts are gone, all of it does.
                whole = counted.after(begun)
                _count(connection, {counted: found}, started_at >= since, started_at < whole, seq <= mark)
            _recall(connection, counted, whole, found)
            _count(connection, {counted: found}, started_at >= since, seq > mark)
    by_value: dict[str | None, list[int]] = defaultdict(lambda: [0, 0, 0])
    for (value, _), sums in found.items():
        _add(by_value[None if counted.each is None else value], sums)
    return {
        value: Spend(cost=cost, tokens=tokens, unpriced=unpriced)
        for value, (cost, tokens, unpriced) in by_value.items()
    }


def carry_forward(
    engine: Engine,
    every: Iterable[Counted],
    *,
    now_us: int,
    step: int = STEP,
    rest: Callable[[], None] = lambda: None,
) -> int:
    """Add to the sums of *every* what was settled since their marks; return how many attempts that were.

    In steps, so that a server may go on writing. An attempt on the wire holds up those after it.

    Args:
        engine: a ledger that is open for writing; a server may write to it too.
        every: what budgets count; what is there twice is counted once.
        now_us: epoch microseconds: sums of periods that are over by then are dropped.
        step: attempts in one transaction.
        rest: is called between two transactions.

    Raises:
        LedgerError: the ledger can't be written; earlier steps hold.
    """
    wanted = {counted.text: counted for counted in every}
    if not wanted:
        return 0
    with reading(engine) as connection:
        marks = connection.execute(select(budget_marks.c.counted)).scalars().all()
    if fresh := [counted for text_, counted in wanted.items() if text_ not in marks]:
        with changing(engine) as connection:
            _begin(connection, fresh, now_us)
    carried = 0
    while count := _step(engine, wanted, step):
        carried += count
        rest()
    if carried:
        with changing(engine) as connection:
            for text_, counted in wanted.items():
                over = counted.start_of(counted.since(now_us - _GRACE_US))
                connection.execute(
                    delete(budget_sums).where(budget_sums.c.counted == text_, budget_sums.c.start < over)
                )
    return carried


def carried_for(engine: Engine) -> tuple[Counted, ...]:
    """Return everything that there are sums for, of budgets that are configured no more as well.

    Raises:
        LedgerError: the ledger can't be read.
    """
    with reading(engine) as connection:
        return tuple(map(_counted, connection.execute(select(budget_marks.c.counted)).scalars()))


def carried_to(connection: Connection) -> int | None:
    """Return the last attempt that is in the sums of all budgets; None: there are no sums."""
    found: int | None = connection.execute(select(func.min(budget_marks.c.seq))).scalar_one()
    return found


def forget_job(connection: Connection, job: str, runs: Iterable[str]) -> None:
    """Drop the sums that were kept for *job* or one of its *runs*, and those of budgets that name it."""
    values = {"job": [job], "run": [*runs]}
    for text_ in connection.execute(select(budget_marks.c.counted)).scalars().all():
        counted = _counted(text_)
        if ("job", job) in counted.match:
            for table in (budget_marks, budget_sums):
                connection.execute(delete(table).where(table.c.counted == text_))
        for value in values.get(counted.each or "", ()):
            of_value = (budget_sums.c.counted == text_, budget_sums.c.value == value)
            connection.execute(delete(budget_sums).where(*of_value))


def _begin(connection: Connection, fresh: Sequence[Counted], now_us: int) -> None:
    """Set the marks of what was never counted before: from roll-ups, which forget nothing, where they can tell."""
    _hold_writers(connection)
    _, last, edge = _ends(connection)
    pruned = pruned_before(connection) or 0
    for counted in fresh:
        if counted.names <= _ROLLED_UP and last == edge:
            _keep(connection, {counted: _rolled_up(connection, counted)})
            seq, reaches = last, 0
        else:
            seq, reaches = _first_needed(connection, counted.start_of(counted.since(now_us - _GRACE_US)), last), pruned
            if pruned > counted.since(now_us):
                what = {"counted": counted.text, "before": pruned}
                note(connection, "budget_history_short", what, at_us=now_us)
        connection.execute(insert(budget_marks).values(counted=counted.text, seq=seq, reaches=reaches))


def _first_needed(connection: Connection, since: int, last: int) -> int:
    """Return the attempt before the first one that began at *since* or later."""
    query = select(func.min(attempts.c.seq))
    first: int | None = connection.execute(query.where(attempts.c.started_at >= since) if since else query).scalar_one()
    return last if first is None else first - 1


def _step(engine: Engine, wanted: Mapping[str, Counted], step: int) -> int:
    """Carry the marks that are furthest behind forward by one step; return by how many attempts at most."""
    with changing(engine) as connection:
        _hold_writers(connection)
        query = select(budget_marks.c.counted, budget_marks.c.seq)
        marks = {row.counted: row.seq for row in connection.execute(query)}
        ours = {text_: marks[text_] for text_ in wanted if text_ in marks}
        first, _, edge = _ends(connection)
        last: int = min(ours.values(), default=edge)
        if last >= edge:
            return 0
        # What was pruned is not walked through step by step.
        until: int = min(edge, max(last, first - 1) + step, *(seq for seq in ours.values() if seq > last))
        behind = [text_ for text_, seq in ours.items() if seq == last]
        sums: dict[Counted, _Sums] = {wanted[text_]: {} for text_ in behind}
        _count(connection, sums, attempts.c.seq > last, attempts.c.seq <= until)
        _keep(connection, sums)
        connection.execute(update(budget_marks).where(budget_marks.c.counted.in_(behind)).values(seq=until))
    return until - last


def _hold_writers(connection: Connection) -> None:
    """Let nobody write until the transaction ends, so that no number below the newest is still to come."""
    if connection.dialect.name == "postgresql":
        # On SQLite the transaction is the only writer already.
        connection.execute(text("LOCK TABLE attempts IN SHARE ROW EXCLUSIVE MODE"))


def _ends(connection: Connection) -> tuple[int, int, int]:
    """Return the first attempt, the last one, and the last before which all are over."""
    low, high = select(func.min(attempts.c.seq)), select(func.max(attempts.c.seq))
    on_wire = low.where(attempts.c.status == "reserved", NOT_OK)
    query = select(low.scalar_subquery(), high.scalar_subquery(), on_wire.scalar_subquery())
    first, last, flying = connection.execute(query).one()
    if first is None:
        return 1, 0, 0
    return first, last, last if flying is None else flying - 1


def _count(connection: Connection, sums: Mapping[Counted, _Sums], *where: ColumnElement[bool]) -> None:
    """Add the attempts of *where* that are over and went out to *sums*."""
    names = sorted(frozenset().union(*(counted.names for counted in sums)))
    plain = [name for name in names if not name.startswith(TAG)]
    columns: list[ColumnElement[Any]] = [_PLAIN[name] for name in plain]
    if len(plain) < len(names):
        # Tags are taken apart in Python: no two databases read JSON alike.
        columns.append(attempts.c.tags)
    quarter = attempts.c.started_at - attempts.c.started_at % BUCKET_US
    query = (
        select(
            func.coalesce(func.sum(attempts.c.cost), 0),
            func.sum(attempts.c.input_tokens + attempts.c.output_tokens),
            func.sum(case((attempts.c.cost.is_(None), 1), else_=0)),
            quarter,
            *columns,
        )
        .where(*where, attempts.c.status.not_in(("refused", "reserved")))
        .group_by(quarter, *columns)
    )
    if len(sums) == 1:
        [only] = sums
        query = query.where(*(_PLAIN[name] == wanted for name, wanted in only.match if name in _PLAIN))
    starts: dict[tuple[Counted, int], int] = {}
    for cost, tokens, unpriced, at, *found in connection.execute(query):
        facts: dict[str, str | None] = dict(zip(plain, found, strict=False))
        if len(plain) < len(names):
            tags = _decode_tags(found[-1])
            facts |= {name: tags.get(name.removeprefix(TAG)) for name in names if name.startswith(TAG)}
        for counted, into in sums.items():
            if (value := counted.value_of(facts)) is None:
                continue
            if (start := starts.get((counted, at))) is None:
                start = starts[counted, at] = counted.start_of(int(at))
            _add(into.setdefault((value, start), [0, 0, 0]), (int(cost), int(tokens), int(unpriced)))


def _rolled_up(connection: Connection, counted: Counted) -> _Sums:
    start, sums = rollups.c.bucket_start, _Sums()
    columns = [rollups.c[name] for name in sorted(counted.names)]
    tokens = rollups.c.input_tokens + rollups.c.output_tokens
    query = (
        select(func.sum(rollups.c.cost), func.sum(tokens), func.sum(rollups.c.unpriced), start, *columns)
        .where(rollups.c.status != "refused", *(rollups.c[name] == wanted for name, wanted in counted.match))
        .group_by(start, *columns)
    )
    for cost, tokens_, unpriced, at, *found in connection.execute(query):
        facts = {name: value or None for name, value in zip(sorted(counted.names), found, strict=True)}
        if (value := counted.value_of(facts)) is not None:
            into = sums.setdefault((value, counted.start_of(int(at))), [0, 0, 0])
            _add(into, (int(cost), int(tokens_), int(unpriced)))
    return sums


def _recall(connection: Connection, counted: Counted, since: int, into: _Sums) -> None:
    columns = (budget_sums.c.value, budget_sums.c.cost, budget_sums.c.tokens, budget_sums.c.unpriced)
    query = select(*columns).where(budget_sums.c.counted == counted.text, budget_sums.c.start >= since)
    for value, *sums in connection.execute(query):
        _add(into.setdefault((value, since), [0, 0, 0]), sums)


def _keep(connection: Connection, every: Mapping[Counted, _Sums]) -> None:
    for counted, sums in every.items():
        for (value, start), (cost, tokens, unpriced) in sums.items():
            table = budget_sums.c
            where = (table.counted == counted.text, table.start == start, table.value == value)
            more = {
                "cost": table.cost + cost,
                "tokens": table.tokens + tokens,
                "unpriced": table.unpriced + unpriced,
            }
            if connection.execute(update(budget_sums).where(*where).values(more)).rowcount == 0:
                new = {"counted": counted.text, "start": start, "value": value}
                amounts = {"cost": cost, "tokens": tokens, "unpriced": unpriced}
                connection.execute(insert(budget_sums).values(**new, **amounts))


def _counted(text_: str) -> Counted:
    return msgspec.json.decode(text_, type=Counted)


def _add(into: list[int], more: Sequence[int]) -> None:
    for at, amount in enumerate(more):
        into[at] += amount
