"""The writer's side of a ledger on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from switchgear.ledger.books import enter
from switchgear.ledger.faults import concerns_storage, explain
from switchgear.ledger.recovery import settle_orphans

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from switchgear.errors import LedgerError
    from switchgear.ledger.books import Record

__all__ = ["SqliteBooks"]


class SqliteBooks:
    """One connection of *engine*'s, for one thread at a time."""

    shared: Final = False

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._pooled: Final = engine.raw_connection()
        self._connection: Final = cast("sqlite3.Connection", self._pooled.driver_connection)

    def enter(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        return enter(self._connection, records)

    def settle_orphans(self, *, now_us: int) -> int:
        return settle_orphans(self._engine, now_us=now_us)

    def is_fault(self, error: BaseException) -> bool:
        return concerns_storage(error)

    def explain(self, error: BaseException) -> LedgerError:
        return explain(error, name=self._engine.url.database)

    def close(self) -> None:
        self._pooled.close()
