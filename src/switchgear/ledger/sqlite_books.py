"""The writer's side of a ledger on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from switchgear.ledger.books import enter
from switchgear.ledger.faults import concerns_storage, explain, is_damage
from switchgear.ledger.place import Place
from switchgear.ledger.recovery import settle_orphans

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from switchgear.errors import LedgerError
    from switchgear.ledger.books import Record

__all__ = ["SqliteBooks"]

_BRIEFLY_MS: Final = 100
"""How long a lock of somebody else is waited for during an outage; the wait that began it has cost the full time."""


class SqliteBooks:
    """One connection of *engine*'s, for one thread at a time."""

    shared: Final = False

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self._pooled: Final = engine.raw_connection()
        self._connection: Final = cast("sqlite3.Connection", self._pooled.driver_connection)
        self._place: Final = Place(engine.url.database)
        self._patience: Final[int] = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]

    @property
    def name(self) -> str:
        return self._engine.url.database or "in memory"

    def enter(self, records: Sequence[Record]) -> dict[int, LedgerError]:
        self._place.check()
        return enter(self._connection, records)

    def settle_orphans(self, *, now_us: int) -> int:
        return settle_orphans(self._engine, now_us=now_us)

    def is_fault(self, error: BaseException) -> bool:
        return concerns_storage(error)

    def is_damage(self, error: BaseException) -> bool:
        return is_damage(error)

    def hurry(self, *, on: bool) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {_BRIEFLY_MS if on else self._patience}").close()

    def explain(self, error: BaseException) -> LedgerError:
        return explain(error, name=self._engine.url.database)

    def close(self) -> None:
        self._pooled.close()
