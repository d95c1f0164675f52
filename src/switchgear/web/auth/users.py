"""The users file: one line a user, ``name:role:argon2id-hash``; blank lines and ``#`` comments are skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, get_args

import msgspec

from switchgear.errors import ConfigError

__all__ = ["ROLES", "Role", "User", "check_name", "parse_users", "users_text"]

Role = Literal["admin", "viewer"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_DIGEST: Final = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """One user. *digest*: what Argon2id made of the password; an ``admin`` may change what a ``viewer`` may read."""

    name: str
    role: Role
    digest: str

    def __repr__(self) -> str:
        return f"User(name={self.name!r}, role={self.role!r})"


def check_name(name: str) -> str:
    """Return *name*.

    Raises:
        ConfigError: it can't be a user's.
    """
    if not _NAME.fullmatch(name):
        msg = f"{name!r}: a user's name is made of letters, digits and . _ @ -, begins with one of the first two"
        raise ConfigError(msg)
    return name


def parse_users(text: str) -> dict[str, User]:
    """Return the users of a file by their names.

    Raises:
        ConfigError: which line is wrong and why; a digest is never repeated.
    """
    found: dict[str, User] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        user = _user(line.strip(), number)
        if user.name in found:
            msg = f"line {number}: a second user of the name {user.name!r}"
            raise ConfigError(msg)
        found[user.name] = user
    return found


def users_text(users: Iterable[User]) -> str:
    """Return the file of *users*; *parse_users* reads it."""
    return "".join(f"{user.name}:{user.role}:{user.digest}\n" for user in users)


def _user(line: str, number: int) -> User:
    name, _, rest = line.partition(":")
    role, _, digest = rest.partition(":")
    if not _NAME.fullmatch(name):
        msg = f"line {number}: does not begin with the name of a user; a line is name:role:argon2id-hash"
        raise ConfigError(msg)
    known = next((each for each in ROLES if each == role), None)
    if known is None:
        msg = f"line {number}: the role of {name!r} is not one of {', '.join(ROLES)}"
        raise ConfigError(msg)
    if not _DIGEST.fullmatch(digest):
        msg = f"line {number}: {name!r} has no Argon2id hash; `switchgear users add {name}` makes one"
        raise ConfigError(msg)
    return User(name=name, role=known, digest=digest)
