"""Committing where the caller is, instead of on the writer's thread: for the few records of one turn of a loop."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from switchgear.ledger.afoot import Afoot
from switchgear.ledger.books import enter
from switchgear.ledger.place import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from switchgear.errors import LedgerError
    from switchgear.ledger.books import Record
    from switchgear.ledger.engine import Durability

__all__ = ["AtOnce", "at_once_of"]

_LOOK_EVERY: Final = 256
"""Commits between two looks at how long the journal has become."""

_LONG_JOURNAL: Final = 16 * 1024 * 1024

_log = logging.getLogger("switchgear.ledger")


def at_once_of(engine: Engine, *, durability: Durability) -> AtOnce | None:
    """Return how the ledger of *engine* commits on the spot; None: each commit waits, for a disk or a network."""
    database = engine.url.database
    if engine.dialect.name != "sqlite" or database is None or durability != "process":
        return None
    return AtOnce(engine, Path(database))


class AtOnce:
    """A second connection of the writer that never waits: not for a lock, and not for a checkpoint.

    A commit of a few rows is some writes into the system's page cache, about as long as the two
    changes of thread that it saves. Whatever is in its way, the writer's thread does it instead.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._pooled: Final = engine.raw_connection()
        self._connection: Final = cast("sqlite3.Connection", self._pooled.driver_connection)
        for pragma in ("busy_timeout = 0", "wal_autocheckpoint = 0"):
            self._connection.execute(f"PRAGMA {pragma}").close()
        self._journal: Final = path.with_name(f"{path.name}-wal")
        self._place: Final = Place(str(path))
        self._commits = 0
        self._afoot: Final = Afoot()

    def enter(self, records: Sequence[Record]) -> dict[int, LedgerError] | None:
        """Commit *records* as *books.enter* does; None: nothing is written, let the thread do it."""
        self._commits += 1
        try:
            self._place.check()
            return enter(self._connection, records, self._afoot)
        except Exception as error:  # noqa: BLE001 - the thread meets it again, and says what it is
            _log.debug("left to the writer's thread: %s", error)
            return None

    def checkpoint(self) -> None:
        """Move the journal into the database; on the writer's thread, while nobody else commits."""
        with suppress(sqlite3.Error):  # then the next one does it
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

    @property
    def is_long(self) -> bool:
        """Whether the journal has become so long that it is time for a checkpoint; looks now and then."""
        if self._commits % _LOOK_EVERY:
            return False
        try:
            return self._journal.stat().st_size > _LONG_JOURNAL
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the connection."""
        self._pooled.close()
