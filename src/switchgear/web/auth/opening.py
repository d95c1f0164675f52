"""From the configuration to the sign-in that it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.web.auth.sign_in import SignIn
from switchgear.web.auth.users_file import UsersFile

if TYPE_CHECKING:
    from switchgear.clock import Clock
    from switchgear.config.model import ServerConfig

__all__ = ["open_sign_in"]


def open_sign_in(server: ServerConfig, clock: Clock) -> SignIn | None:
    """Return what asks for a password; None: no users file is named, so nobody is asked.

    Raises:
        ConfigError: the users file can't be used.
    """
    return None if server.users_file is None else SignIn(UsersFile(Path(server.users_file)), clock)
