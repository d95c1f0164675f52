"""What was asked of the gate, in the order it was asked: for whoever wants to play it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import func, select

from switchgear.ledger.engine import reading
from switchgear.ledger.schema import attempts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from switchgear.calls import CallStatus, Reason

__all__ = ["Recorded", "count_recorded", "recorded"]

_AT_A_TIME: Final = 5_000


class Recorded(NamedTuple):
    """One attempt that is over.

    Attributes:
        asked_at: when the caller asked, epoch microseconds; it went out *waited_us* later.
        model: the one that was asked for.
        tags: as JSON.
        tokens: used, in and out; 0 for a refused one.
        worst: what it could have cost at most, nano-USD; None: unpriced.
        cost: what it did cost, nano-USD; None: unpriced.
        duration_us: None: not known.
    """

    asked_at: int
    call_id: str
    attempt: int
    service: str
    model: str | None
    job: str | None
    run: str | None
    layer: str | None
    key: str | None
    tags: str
    status: CallStatus
    refused_by: Reason | None
    http_status: int | None
    tokens: int
    worst: int | None
    cost: int | None
    waited_us: int
    duration_us: int | None


def count_recorded(engine: Engine, *, since: int | None, until: int | None) -> int:
    """Return how many attempts *recorded* yields.

    Raises:
        LedgerError: the ledger can't be read.
    """
    with reading(engine) as connection:
        query = select(func.count()).select_from(attempts).where(attempts.c.status != "reserved")
        if since is not None:
            query = query.where(attempts.c.started_at >= since)
        if until is not None:
            query = query.where(attempts.c.started_at < until)
        return connection.execute(query).scalar_one()


def recorded(engine: Engine, *, since: int | None, until: int | None) -> Iterator[Recorded]:
    """Yield every attempt that began from *since* to before *until* and is over, in the order of asking.

    Raises:
        LedgerError: the ledger can't be read.
    """
    asked_at = (attempts.c.started_at - attempts.c.waited_us).label("asked_at")
    query = select(
        asked_at,
        attempts.c.call_id,
        attempts.c.attempt,
        attempts.c.service,
        attempts.c.asked_model,
        attempts.c.job,
        attempts.c.run,
        attempts.c.layer,
        attempts.c.key,
        attempts.c.tags,
        attempts.c.status,
        attempts.c.refused_by,
        attempts.c.http_status,
        attempts.c.input_tokens + attempts.c.output_tokens,
        attempts.c.reserved,
        attempts.c.cost,
        attempts.c.waited_us,
        attempts.c.duration_us,
    ).where(attempts.c.status != "reserved")
    if since is not None:
        query = query.where(attempts.c.started_at >= since)
    if until is not None:
        query = query.where(attempts.c.started_at < until)
    query = query.order_by(asked_at, attempts.c.seq).execution_options(yield_per=_AT_A_TIME)
    with reading(engine) as connection:
        for part in connection.execute(query).partitions():
            yield from map(Recorded._make, part)
