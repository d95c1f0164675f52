"""Switchgear keys in the ledger's database, so that all gateways on it know the same ones.

Every change is one short transaction of its own and gets the next revision: who remembers the last
revision it has seen knows by one look whether anything has changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, insert, select, update

from switchgear.ledger.access import changing
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import reading
from switchgear.ledger.key_rows import Key, KeySecret, KeyTerms
from switchgear.ledger.schema import events, keys
from switchgear.policies.key_secret import make_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy import Connection, Engine, Row

    from switchgear.policies.key_secret import NewSecret

__all__ = ["KeyBook"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyBook:
    """The keys in the database of *engine*. Every method raises LedgerError where it can't be read or written."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def revision(self) -> int:
        """Return the revision of the last change; 0: there was none."""
        with reading(self._engine) as connection:
            return _revision(connection)

    def all(self) -> tuple[Key, ...]:
        """Return every key there ever was, by name."""
        with reading(self._engine) as connection:
            return tuple(_key(row) for row in connection.execute(select(keys).order_by(keys.c.name)))

    def get(self, name: str) -> Key | None:
        """Return the key called *name*."""
        with reading(self._engine) as connection:
            row = connection.execute(select(keys).where(keys.c.name == name)).one_or_none()
        return None if row is None else _key(row)

    def create(self, name: str, terms: KeyTerms, *, at: int, by: str, expires_at: int | None = None) -> tuple[Key, str]:
        """Make a key; return it and its secret, which is not kept.

        Raises:
            ValueError: the name is taken (names are not used again: rows of calls tell them), or is none.
        """
        if not _NAME.fullmatch(name):
            msg = f"the name of a key is 1 to 64 letters, digits, . _ and -, a letter or digit first: {name!r}"
            raise ValueError(msg)
        secret = make_secret()
        with changing(self._engine) as connection:
            if connection.execute(select(keys.c.name).where(keys.c.name == name)).one_or_none() is not None:
                msg = f"there is or was a key {name!r}: no name is used twice, so that old calls stay whose they were"
                raise ValueError(msg)
            row = {
                "name": name,
                "id": secret.id,
                "digest": secret.digest,
                "created_at": at,
                "expires_at": expires_at,
                "terms": msgspec.json.encode(terms).decode(),
                "revision": _revision(connection) + 1,
            }
            connection.execute(insert(keys).values(**row))
            _note(connection, "key_created", name, {"by": by, "id": secret.id}, at)
            made = _key(connection.execute(select(keys).where(keys.c.name == name)).one())
        return made, secret.text

    def revoke(self, name: str, *, at: int, by: str) -> Key:
        """End a key, for ever; return it. The second time changes nothing.

        Raises:
            KeyError: there is no such key.
        """
        with changing(self._engine) as connection:
            found = self._there(connection, name)
            if found.revoked_at is not None:
                return found
            _change(connection, name, revoked_at=at)
            _note(connection, "key_revoked", name, {"by": by}, at)
            return self._there(connection, name)

    def rotate(self, name: str, *, at: int, by: str, grace: int) -> tuple[Key, str]:
        """Give a key another secret; return both. The one until now holds for *grace* microseconds more.

        One that was still in its own grace ends at once.

        Raises:
            KeyError: there is no such key.
            ValueError: it is revoked.
        """
        secret = make_secret()
        with changing(self._engine) as connection:
            found = self._there(connection, name)
            if found.revoked_at is not None:
                msg = f"the key {name!r} is revoked: make another one"
                raise ValueError(msg)
            _change(connection, name, **_rotated(found, secret, at + grace if grace else None))
            _note(connection, "key_rotated", name, {"by": by, "id": secret.id, "grace_us": grace}, at)
            return self._there(connection, name), secret.text

    @staticmethod
    def _there(connection: Connection, name: str) -> Key:
        row = connection.execute(select(keys).where(keys.c.name == name)).one_or_none()
        if row is None:
            raise KeyError(name)
        return _key(row)


def _rotated(found: Key, secret: NewSecret, until: int | None) -> dict[str, object]:
    last = found.secrets[0]
    old = (last.id, last.digest, until) if until is not None else (None, None, None)
    return {
        "id": secret.id,
        "digest": secret.digest,
        "previous_id": old[0],
        "previous_digest": old[1],
        "previous_until": old[2],
    }


def _revision(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(keys.c.revision), 0))).scalar_one())


def _change(connection: Connection, name: str, **values: object) -> None:
    revision = _revision(connection) + 1
    connection.execute(update(keys).where(keys.c.name == name).values(revision=revision, **values))


def _note(connection: Connection, kind: str, name: str, what: Mapping[str, object], at: int) -> None:
    connection.execute(insert(events).values(at=at, kind=kind, subject=name, what=json_text(what)))


def _key(row: Row[Any]) -> Key:
    secrets = [KeySecret(id=row.id, digest=row.digest)]
    if row.previous_id is not None:
        secrets.append(KeySecret(id=row.previous_id, digest=row.previous_digest, until=row.previous_until))
    return Key(
        name=row.name,
        secrets=tuple(secrets),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revision=row.revision,
        terms=msgspec.json.decode(row.terms, type=KeyTerms),
    )
