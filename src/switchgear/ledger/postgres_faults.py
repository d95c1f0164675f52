"""What PostgreSQL says, in words that tell what to do; never with the password."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

__all__ = ["concerns_storage", "explain", "shown", "translated"]

_WORDS: Final = {
    "08": "no connection to the server",
    "42501": "the permission is missing",
    "25006": "the server takes no changes; it may be a standby",
    "53100": "the server's disk is full",
    "53300": "the server has no connection left for us",
    "55P03": "another process keeps it locked",
    "57014": "the server took too long",
    "57P": "the server is shutting down or starting",
}
"""By the beginning of the code that the server sends."""

_TOO_LARGE: Final = "54"


def shown(url: URL) -> str:
    """Return what people call the database at *url*: its name and its host."""
    host = url.host or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"{url.database or url.username or 'postgres'} at {host}{port}"


def concerns_storage(error: BaseException) -> bool:
    """Return whether *error* is about the server or the way to it rather than about what was written."""
    found = _origin(error)
    if isinstance(found, LedgerError):
        return True  # of taking our seat again
    if not isinstance(found, psycopg.Error) or isinstance(found, psycopg.DataError | psycopg.IntegrityError):
        return False
    return not (found.sqlstate or "").startswith(_TOO_LARGE)


def explain(error: BaseException, *, url: URL) -> LedgerError:
    """Return *error* as one sentence about the ledger at *url*."""
    found = _origin(error)
    if isinstance(found, LedgerError):
        return found
    what = f"the ledger {shown(url)}"
    if not isinstance(found, psycopg.Error):
        return LedgerError(f"{what}: {type(found).__name__}: {_clean(str(found), url)}")
    detail = _clean(found.diag.message_primary or str(found) or type(found).__name__, url)
    # What the server says to a new connection comes as text alone, and says enough.
    code = found.sqlstate or ("" if "FATAL:" in str(found) else "08")
    words = next((_WORDS[code[:length]] for length in (5, 3, 2) if code[:length] in _WORDS), None)
    return LedgerError(f"{what}: {words} ({detail})" if words else f"{what}: {detail}")


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn every error of the database at *url* inside into a LedgerError."""
    try:
        yield
    except (SQLAlchemyError, psycopg.Error) as error:
        # Without the cause: SQLAlchemy's carries statements and their values.
        raise explain(error, url=url) from None


def _origin(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _clean(text: str, url: URL) -> str:
    """Return the first line of *text*, without the password and without what libpq puts before the server's word."""
    line = text.strip().partition("\n")[0].rpartition("FATAL:  ")[2]
    return line.replace(str(url.password), "***") if url.password else line
