"""What the calls that a budget counts have used, step by step: the history that a forecast learns from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import BigInteger, func, literal, select

from switchgear.ledger.engine import reading
from switchgear.ledger.schema import attempts, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Engine

    from switchgear.ledger.usage_views import Steps

__all__ = ["spend_history"]

_ROLLED_UP: Final = frozenset({"service", "layer", "key"})
"""Roll-ups know the model that was billed; budgets go by the one that was asked for."""

_TAG: Final = "tag."


def spend_history(
    engine: Engine, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None
) -> dict[str | None, dict[int, int]]:
    """Return, for each value of *each*, what was used in each step, by the step's start; empty steps are left out.

    Args:
        engine: the ledger's.
        steps: which time, and how it is cut.
        tokens: count tokens in and out; else nano-USD, without the calls that have no price.
        match: what an attempt must have: any of ``service``, ``model`` (as asked for), ``job``,
            ``run``, ``layer``, ``key``, ``tag.<name>``.
        each: one of these names; None: everything is one account, under the key None.

    Raises:
        LedgerError: the ledger can't be read.
    """
    names = {*match, each} - {None}
    table = rollups if names <= _ROLLED_UP else attempts
    start = rollups.c.bucket_start if table is rollups else attempts.c.started_at
    amount = table.c.input_tokens + table.c.output_tokens if tokens else table.c.cost
    columns: dict[str, ColumnElement[str]] = {name: _facet(name, rolled_up=table is rollups) for name in names if name}
    grouped = {name: column for name, column in columns.items() if name == each or name.startswith(_TAG)}
    local = start + literal(steps.shift_us, BigInteger)
    step = (local - local % literal(steps.size_us, BigInteger) - literal(steps.shift_us, BigInteger)).label("step")
    query = select(step, func.coalesce(func.sum(amount), 0), *grouped.values()).group_by(step, *grouped.values())
    query = query.where(start >= steps.since, start < steps.until, table.c.status.not_in(("refused", "reserved")))
    for name, wanted in match.items():
        if not name.startswith(_TAG):
            query = query.where(columns[name] == wanted)
    with reading(engine) as connection:
        found = connection.execute(query).all()
    history: dict[str | None, dict[int, int]] = {}
    for at, used, *values in found:
        known = {name: _value(name, value) for name, value in zip(grouped, values, strict=True)}
        value = known[each] if each is not None else None
        if any(known[name] != wanted for name, wanted in match.items() if name in known) or (each and value is None):
            continue
        account = history.setdefault(value, {})
        account[int(at)] = account.get(int(at), 0) + int(used)
    return history


def _facet(name: str, *, rolled_up: bool) -> ColumnElement[str]:
    if rolled_up:
        return rollups.c[name]
    if name.startswith(_TAG):
        return attempts.c.tags
    return attempts.c.asked_model if name == "model" else attempts.c[name]


def _value(name: str, value: str | None) -> str | None:
    if value and name.startswith(_TAG):
        found: str | None = msgspec.json.decode(value).get(name.removeprefix(_TAG))
        return found
    return value or None
