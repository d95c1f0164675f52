"""The users file on disk: readable by its owner alone, read again when it changes, replaced as a whole."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Final

import msgspec

from switchgear.errors import ConfigError
from switchgear.web.auth.session import session_key
from switchgear.web.auth.users import User, parse_users, users_text

__all__ = ["Users", "UsersFile", "load_users", "save_users"]

_OTHERS: Final = 0o077
_MOST: Final = 1 << 20


class Users(msgspec.Struct, frozen=True, kw_only=True):
    """What a users file said. *key*: what sessions are signed with; another file has another."""

    by_name: dict[str, User]
    key: bytes

    def __repr__(self) -> str:
        return f"Users({', '.join(self.by_name)})"


_Stamp = tuple[int, int, int, int]


class UsersFile:
    """A users file that is read again when it changes. Safe for threads.

    Args:
        path: the file.

    Raises:
        ConfigError: as *load_users*.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._lock: Final = threading.Lock()
        self._seen: tuple[_Stamp, Users] = (_stamp(path), load_users(path))

    def current(self) -> Users:
        """Return the users as of now.

        Raises:
            ConfigError: the file is gone or wrong now. Nobody gets in until it is put right.
        """
        stamp = _stamp(self._path)
        with self._lock:
            seen = self._seen
        if seen[0] != stamp:
            seen = (stamp, load_users(self._path))
            with self._lock:
                self._seen = seen
        return seen[1]


def load_users(path: Path) -> Users:
    """Return what is in the users file *path*.

    Raises:
        ConfigError: it can't be read, others may read it, or a line of it is wrong.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        msg = f"users file {path}: {reason}; `switchgear users add NAME` makes one"
        raise ConfigError(msg) from None
    if mode & _OTHERS:
        msg = f"users file {path}: others than its owner may use it; chmod 600 {path}"
        raise ConfigError(msg)
    try:
        return Users(by_name=parse_users(text), key=session_key(data))
    except ConfigError as error:
        msg = f"users file {path}: {error}"
        raise ConfigError(msg) from None


def save_users(path: Path, users: dict[str, User]) -> None:
    """Put a file of *users* in the place of *path*, whole or not at all, for its owner alone.

    Raises:
        ConfigError: it can't be written.
    """
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            new = Path(file.name)  # made with mode 0600
            try:
                file.write(users_text(users.values()))
                file.flush()
                os.fsync(file.fileno())
                new.replace(path)
            except OSError:
                new.unlink(missing_ok=True)
                raise
    except OSError as error:
        msg = f"users file {path}: {error.strerror}"
        raise ConfigError(msg) from None


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
