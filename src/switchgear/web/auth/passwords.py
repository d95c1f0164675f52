"""Passwords: hashed with Argon2id, and checked at a cost that does not tell whether there is such a user."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from switchgear.web.auth.users import User
    from switchgear.web.auth.users_file import Users

__all__ = ["LEAST", "Passwords", "hash_password"]

LEAST: Final = 10
"""Characters that a password has at least."""

_LONGEST: Final = 1024
_REMEMBERED: Final = 256


def hash_password(password: str) -> str:
    """Return what is kept of *password*.

    Raises:
        ConfigError: it is too short or too long, or the package argon2-cffi is missing.
    """
    if not LEAST <= len(password) <= _LONGEST:
        msg = f"a password has {LEAST} to {_LONGEST} characters"
        raise ConfigError(msg)
    try:
        from argon2 import PasswordHasher
    except ImportError:
        msg = 'argon2-cffi is not installed: pip install "switchgear[server]"'
        raise ConfigError(msg) from None
    return PasswordHasher().hash(password)


class Passwords:
    """Checks passwords; those of programs, which give theirs with every request, are remembered as digests.

    What is remembered is keyed with a secret of this process, goes with its users file, and is bounded.
    """

    def __init__(self) -> None:
        self._secret: Final = secrets.token_bytes(32)
        self._good: Final[OrderedDict[bytes, str]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def remembered(self, users: Users, name: str, password: str) -> User | None:
        """Return the user who gave just this password before; None: it has to be checked."""
        mark = self._mark(users, name, password)
        with self._lock:
            known = self._good.get(mark)
            if known is not None:
                self._good.move_to_end(mark)
        return None if known is None else users.by_name.get(known)

    def check(self, users: Users, name: str, password: str) -> User | None:
        """Return the user *name* if that is the password; takes as long for names that do not exist.

        Blocks for some 50 ms and takes 64 MB: call it in a thread, not in many at once.
        """
        from argon2 import PasswordHasher
        from argon2.exceptions import InvalidHashError, VerificationError

        user = users.by_name.get(name)
        # Somebody's digest is checked in any case, so that the time says nothing about the name.
        any_user = user or next(iter(users.by_name.values()), None)
        if any_user is None or len(password) > _LONGEST:
            return None
        try:
            PasswordHasher().verify(any_user.digest, password)
        except (VerificationError, InvalidHashError):
            return None
        if user is None:
            return None
        mark = self._mark(users, name, password)
        with self._lock:
            self._good[mark] = name
            if len(self._good) > _REMEMBERED:
                self._good.popitem(last=False)
        return user

    def _mark(self, users: Users, name: str, password: str) -> bytes:
        text = b"\0".join((users.key, name.encode(), password.encode("utf-8", "surrogatepass")))
        return hmac.digest(self._secret, text, hashlib.sha256)
