"""Who is asking: by the cookie of a session, or by name and password."""

from __future__ import annotations

import asyncio
import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from switchgear.clock import MICROS, Clock
from switchgear.web.auth.attempts import Attempts
from switchgear.web.auth.passwords import Passwords
from switchgear.web.auth.session import LASTS, make_session, read_session
from switchgear.web.auth.users import User
from switchgear.web.auth.users_file import UsersFile

__all__ = ["COOKIE", "SignIn", "TooMany", "basic_credentials"]

COOKIE: Final = "switchgear_session"
_AT_ONCE: Final = 2


class TooMany(msgspec.Struct, frozen=True):
    """Too many attempts; the next may be made after *seconds*."""

    seconds: float


class SignIn:
    """Checks sessions and passwords against a users file. Its methods run in the event loop.

    Args:
        users: the file.
        clock: time.
    """

    def __init__(self, users: UsersFile, clock: Clock) -> None:
        self._users: Final = users
        self._clock: Final = clock
        self._passwords: Final = Passwords()
        self._attempts: Final = Attempts(clock)
        # Its own few threads: Argon2 is slow and wide on purpose, and others wait behind it, not beside it.
        self._threads: Final = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="switchgear-sign-in")

    def user_of(self, token: str) -> User | None:
        """Return whose session this is; None: nobody's, or not any more.

        Raises:
            ConfigError: the users file is wrong now.
        """
        users = self._users.current()
        name = read_session(token, self._clock.moment().wall // MICROS, users.key)
        return None if name is None else users.by_name.get(name)

    def session_of(self, user: User) -> str:
        """Return a new session of *user*.

        Raises:
            ConfigError: the users file is wrong now.
        """
        return make_session(user.name, self._clock.moment().wall // MICROS + LASTS, self._users.current().key)

    async def check(self, name: str, password: str, address: str, *, program: bool = False) -> User | TooMany | None:
        """Return the user if name and password are right; None: they are not.

        Args:
            name: the user's.
            password: theirs.
            address: where the request is from.
            program: it gives them with every request, so that the same again is no new attempt.

        Raises:
            ConfigError: the users file is wrong now.
        """
        users = self._users.current()
        if program:
            known = self._passwords.remembered(users, name, password)
            if known is not None:
                return known
        wait = self._attempts.wait(address)
        if wait is not None:
            return TooMany(wait)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._passwords.check, users, name, password)


def basic_credentials(header: str) -> tuple[str, str] | None:
    """Return name and password of an ``Authorization`` header; None: it has none that can be read."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None
