"""What the calls of one run came to, by layer: an index finds them, so it costs what the run is long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import case, func, select

from switchgear.ledger.engine import reading
from switchgear.ledger.schema import attempts

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["RunSum", "run_sums"]


class RunSum(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts of one layer of a run that carry the same tags.

    Attributes:
        layer: None: made outside every layer.
        tags: those that they all carry.
        calls: attempts that were not refused; *refused*: those that were.
        cost: nano-USD of the settled ones; *reserved*: the worst case of those on the wire.
        tokens: in and out.
        unpriced: settled without a price.
    """

    layer: str | None
    tags: dict[str, str]
    calls: int
    refused: int
    cost: int
    reserved: int
    tokens: int
    unpriced: int


def run_sums(engine: Engine, run: str) -> tuple[RunSum, ...]:
    """Return what the calls of *run* came to."""
    status, cost = attempts.c.status, attempts.c.cost
    on_wire = status == "reserved"
    settled = status.not_in(("reserved", "refused"))
    query = (
        select(
            attempts.c.layer,
            attempts.c.tags,
            func.sum(case((status != "refused", 1), else_=0)),
            func.sum(case((status == "refused", 1), else_=0)),
            func.sum(case((settled, func.coalesce(cost, 0)), else_=0)),
            func.sum(case((on_wire, func.coalesce(attempts.c.reserved, 0)), else_=0)),
            func.sum(case((settled, attempts.c.input_tokens + attempts.c.output_tokens), else_=0)),
            func.sum(case((settled & cost.is_(None), 1), else_=0)),
        )
        .where(attempts.c.run == run)
        .group_by(attempts.c.layer, attempts.c.tags)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return tuple(
        RunSum(
            layer=row[0],
            tags=dict(json.loads(row[1])),
            calls=int(row[2]),
            refused=int(row[3]),
            cost=int(row[4]),
            reserved=int(row[5]),
            tokens=int(row[6]),
            unpriced=int(row[7]),
        )
        for row in rows
    )
