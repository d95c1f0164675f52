"""Attempts as they are recorded: what came after a place, and how those on the wire ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, or_, select

from switchgear.ledger.call_rows import call_row, filtered
from switchgear.ledger.engine import reading
from switchgear.ledger.schema import attempts
from switchgear.ledger.views import CallFilter, CallRow

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Engine

__all__ = ["OVERLAP", "TailReader", "TailRow"]

OVERLAP: Final = 200
"""Places behind the last one that are looked at again: of writers at once, a lower number may be committed later."""


class TailRow(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt and its place: places grow in the order in which attempts are recorded."""

    seq: int
    row: CallRow


class TailReader:
    """Reads what is new over connections of its own. Every method raises LedgerError."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def last(self) -> int:
        """Return the place of the attempt that was recorded last, 0 if there is none."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(attempts.c.seq))).scalar_one() or 0

    def on_the_wire(self, where: CallFilter, *, limit: int) -> frozenset[int]:
        """Return the places of the newest *limit* attempts that are not settled yet.

        The status that *where* asks for is not looked at.
        """
        query = filtered(msgspec.structs.replace(where, status="reserved", refused_by=None))
        query = query.order_by(attempts.c.started_at.desc(), attempts.c.seq.desc()).limit(limit)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(query.with_only_columns(attempts.c.seq)).scalars())

    def places(self, where: CallFilter, *, after: int, known: Collection[int], limit: int) -> tuple[int, ...]:
        """Return the newest *limit* places, in order, after the place *after* or in the *OVERLAP* behind it.

        Those that are *known* are left out.
        """
        query = filtered(where).with_only_columns(attempts.c.seq).where(attempts.c.seq > after - OVERLAP)
        query = query.order_by(attempts.c.seq.desc()).limit(limit + len(known))
        with reading(self._engine) as connection:
            found = connection.execute(query).scalars().all()
        return tuple(reversed([seq for seq in found if seq not in known][:limit]))

    def rows(self, places: Collection[int], *, ended: Collection[int] = ()) -> tuple[TailRow, ...]:
        """Return the attempts at *places*, and those of *ended* that are on the wire no more, in order of place."""
        over = attempts.c.seq.in_(ended) & (attempts.c.status != "reserved")
        query = select(attempts).where(or_(attempts.c.seq.in_(places), over)).order_by(attempts.c.seq)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
        return tuple(TailRow(seq=row["seq"], row=call_row(row)) for row in found)
