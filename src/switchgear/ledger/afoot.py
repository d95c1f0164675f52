"""What a connection knows of the attempts that it has reserved itself, so that it need not look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.ledger.rows import AttemptRefused, AttemptReserved

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from switchgear.ledger.books import Record

__all__ = ["Afoot", "Known"]


class Known(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What *sql.FIND* tells about one attempt."""

    call_id: str
    attempt: int
    seq: int
    status: str
    started_at: int
    service: str
    model: str | None
    layer: str | None
    key: str | None
    job: str | None
    waited_us: int


class Afoot:
    """The attempts on the wire, as long as nobody else changes the ledger: then all is forgotten, and looked up."""

    def __init__(self) -> None:
        self._known: Final[dict[tuple[str, int], Known]] = {}
        self._version = -1

    def look(self, cursor: sqlite3.Cursor) -> None:
        """Forget everything if another connection has changed anything; inside a transaction that writes."""
        version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._known.clear()

    def add(self, records: Sequence[Record], last: int, opened: int) -> None:
        """Remember the reservations in *records*, whose *opened* rows are committed, the last one as *last*.

        SQLite numbers the rows of a transaction one by one.
        """
        seq = last - opened
        for record in records:
            if isinstance(record, AttemptRefused):
                seq += 1
            elif isinstance(record, AttemptReserved):
                seq += 1
                call, said = record.call, record.call.attribution
                self._known[call.id, call.attempt] = Known(
                    call.id,
                    call.attempt,
                    seq,
                    "reserved",
                    record.started_at,
                    call.service,
                    call.model,
                    said.layer,
                    said.key,
                    said.job,
                    record.waited_us,
                )

    def take(self, call_id: str, attempt: int) -> Known | None:
        """Return what is known of a reservation, once."""
        return self._known.pop((call_id, attempt), None)
