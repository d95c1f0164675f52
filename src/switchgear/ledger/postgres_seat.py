"""Who writes to a ledger on PostgreSQL: advisory locks that end with the connection that holds them.

Every writing process shares the lock of the ledger, and has the lock of its own number to itself. So
the server tells whether the owner of an attempt is alive, however it died, without a heartbeat; and a tool that
must be alone takes the lock of the ledger for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["lock_schema", "take_alone", "take_seat"]

_LEDGER: Final = "hashtextextended('switchgear ledger ' || current_schema(), 0)"
_SCHEMA: Final = "hashtextextended('switchgear schema ' || current_schema(), 0)"

lock_schema: Final = f"SELECT pg_advisory_xact_lock({_SCHEMA})"
"""Waits until no other process makes or migrates the tables, and keeps others waiting until the transaction ends."""

_HOLDERS: Final = (
    "SELECT string_agg(DISTINCT coalesce(nullif(activity.application_name, ''), 'process ' || activity.pid), ', ')"  # noqa: S608 - no input
    " FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)"
    " WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1 AND held.pid <> pg_backend_pid()"
    " AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    f" AND ((held.classid::bigint << 32) | held.objid::bigint) = {_LEDGER}"
)


def take_seat(connection: Connection[tuple[object, ...]], owner: int, *, name: str) -> None:
    """Let *connection* hold the locks of the writing process *owner*.

    Raises:
        LedgerError: a tool works on the ledger alone (the message names it), *name* being the ledger.
    """
    if not _try(connection, f"pg_try_advisory_lock_shared({_LEDGER})"):
        msg = f"the ledger {name} is in use by {_holders(connection)}, which needs it alone; try again when it is done"
        raise LedgerError(msg)
    _try(connection, f"pg_try_advisory_lock({owner:d})")


def take_alone(connection: Connection[tuple[object, ...]], *, name: str) -> None:
    """Let *connection* keep every writing process away.

    Raises:
        LedgerError: there is one already; the message names it.
    """
    if not _try(connection, f"pg_try_advisory_lock({_LEDGER})"):
        msg = f"the ledger {name} is in use by {_holders(connection)}; stop it first"
        raise LedgerError(msg)


def _try(connection: Connection[tuple[object, ...]], call: str) -> bool:
    return connection.execute(f"SELECT {call}".encode()).fetchone() == (True,)


def _holders(connection: Connection[tuple[object, ...]]) -> str:
    found = connection.execute(_HOLDERS.encode()).fetchone()
    return str(found[0]) if found and found[0] else "another process"
