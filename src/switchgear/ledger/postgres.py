"""A ledger on PostgreSQL: what its URL means, and how it is opened."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url

from switchgear.errors import ConfigError, LedgerError

try:
    from psycopg.types.numeric import IntLoader
except ModuleNotFoundError as error:
    _MISSING = 'ledger.url: a ledger on PostgreSQL needs the extra "postgres": pip install "switchgear[postgres]"'
    raise ConfigError(_MISSING) from error

from switchgear.ledger.migrate import current
from switchgear.ledger.postgres_faults import shown, translated
from switchgear.ledger.postgres_seat import take_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from sqlalchemy import URL, Engine

    from switchgear.ledger.engine import Durability
    from switchgear.ledger.lock import LedgerLock

__all__ = ["PostgresHome", "own_connection", "shown"]

_DRIVERS: Final = frozenset({"postgresql", "postgresql+psycopg"})
_CONNECTIONS: Final = 4
_MORE_CONNECTIONS: Final = 12
_PATIENCE: Final[dict[str, Any]] = {
    # A server that is gone without a word is noticed within seconds, not after the system's two hours.
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_SERVER_SIDE: Final = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"


class PostgresHome:
    """A schema of a database, for any number of processes at once."""

    def __init__(self, url: str) -> None:
        self._url: Final = _checked(make_url(url))

    @property
    def name(self) -> str:
        return f"PostgreSQL {shown(self._url)}"

    @property
    def in_memory(self) -> bool:
        return False

    @property
    def identity(self) -> str:
        return f"postgresql:{shown(self._url)}?{self._url.query.get('options', '')}"

    def exists(self) -> bool:
        engine = self.open(read_only=True)
        try:
            with translated(engine.url):
                return current(engine) is not None
        finally:
            engine.dispose()

    def require(self) -> None:
        """Nothing is known before the server is asked."""

    def lock(self) -> LedgerLock | None:
        return None

    def open(self, *, durability: Durability = "process", read_only: bool = False) -> Engine:
        engine = create_engine(
            self._url,
            # What is read in one transaction is one moment of the ledger.
            isolation_level="REPEATABLE READ",
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            # After a restart of the server nobody gets a dead connection.
            pool_pre_ping=True,
            connect_args={
                name: value
                for name, value in (_PATIENCE | {"application_name": _process()}).items()
                if name not in self._url.query
            },
        )
        # What `process` promises, a commit keeps without waiting for the server's disk.
        settings = [_SERVER_SIDE, f"SET synchronous_commit = {'on' if durability == 'power' else 'off'}"]
        if read_only:
            settings.append("SET default_transaction_read_only = on")

        @event.listens_for(engine, "connect")
        def prepare(connection: Connection[Any], _record: object) -> None:
            # Sums of BIGINT come as NUMERIC, and all that is summed here is whole.
            connection.adapters.register_loader("numeric", IntLoader)
            connection.execute("; ".join(settings).encode())
            connection.commit()

        with translated(engine.url):
            engine.connect().close()
        return engine

    @contextmanager
    def alone(self, engine: Engine) -> Iterator[None]:
        connection = own_connection(engine)
        try:
            take_alone(connection, name=shown(engine.url))
            yield
        finally:
            connection.close()


def own_connection(engine: Engine) -> Connection[Any]:
    """Return a connection that *engine* has no more to do with; each of its statements is a transaction."""
    pooled = engine.raw_connection()
    connection: Connection[Any] = pooled.driver_connection  # type: ignore[assignment]  # what the dialect is for
    pooled.detach()
    connection.rollback()
    connection.autocommit = True
    return connection


def _checked(url: URL) -> URL:
    if url.drivername not in _DRIVERS:
        msg = f"a ledger on PostgreSQL is named postgresql+psycopg://USER@HOST/DATABASE, not {url.drivername}://..."
        raise LedgerError(msg)
    if "@" in (url.host or ""):
        # What stands there is a part of the password, so it is not repeated.
        msg = "ledger.url: a password with an @ in it must be written with %40"
        raise LedgerError(msg)
    return url.set(drivername="postgresql+psycopg")


def _process() -> str:
    """Return the name of this process in the server's lists and in messages."""
    return f"switchgear {os.getpid()} on {socket.gethostname()}"[:63]
