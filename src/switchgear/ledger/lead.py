"""One of several processes on a ledger on PostgreSQL does a thing that is to be done once: an advisory lock says which.

The lock ends with the connection that holds it, so whoever dies, however, makes room for the next.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy import Engine

__all__ = ["Lead"]

_log = logging.getLogger("switchgear.ledger")


class Lead:
    """The lead in *what*, taken and kept by asking. Safe to use from several threads; it waits for the server only."""

    def __init__(self, engine: Engine, what: str) -> None:
        self._engine: Final = engine
        self._what: Final = what
        self._lock: Final = threading.Lock()
        self._connection: Connection[Any] | None = None
        self._leads = False
        self._closed = False

    def holds(self) -> bool:
        """Tell whether this process leads now; one that does not tries to."""
        import psycopg

        with self._lock:
            if self._closed:
                return False
            try:
                if self._connection is None:
                    from switchgear.ledger.postgres import own_connection

                    self._connection = own_connection(self._engine)
                if self._leads:
                    self._connection.execute("SELECT 1")  # a connection that is gone has lost the lock
                else:
                    self._leads = self._take(self._connection)
            except (psycopg.Error, SQLAlchemyError) as error:
                _log.warning("who leads in %s is not known: %s", self._what, type(error).__name__)
                self._drop()
            return self._leads

    def close(self) -> None:
        """Give the lead up; the second time does nothing."""
        with self._lock:
            self._closed = True
            self._drop()

    def _take(self, connection: Connection[Any]) -> bool:
        query = "SELECT pg_try_advisory_lock(hashtextextended('switchgear lead ' || current_schema() || ' ' || %s, 0))"
        taken = connection.execute(query, (self._what,)).fetchone() == (True,)
        if taken:
            _log.info("this process leads in %s", self._what)
        return taken

    def _drop(self) -> None:
        connection, self._connection, self._leads = self._connection, None, False
        if connection is not None:
            connection.close()
