"""``switchgear users``: who may sign in to the dashboard and its API."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.base import Group
from switchgear.cli.consent import require_consent, yes_option
from switchgear.cli.names import refuse_unknown
from switchgear.cli.output import json_option, print_json, print_table, say, text_of
from switchgear.cli.settings import config_option, read
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from switchgear.web.auth.users import Role, User

__all__ = ["command"]

_LONGEST: Final = 1026
"""Characters that are read of a password: the longest there may be, and the end of its line."""


@click.group(
    cls=Group,
    name="users",
    examples=(
        "switchgear users add ada",
        "switchgear users add bob --role viewer < password.txt",
        "switchgear users remove bob",
    ),
)
def command() -> None:
    """Say who may sign in to the dashboard and its API.

    The users are in the file that server.users_file names. A running server knows of a change at
    once, and everybody has to sign in again.
    """


@command.command("add", examples=("switchgear users add ada", "switchgear users add bob --role viewer < password.txt"))
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["admin", "viewer"]),
    default="admin",
    show_default=True,
    help="A viewer changes nothing.",
)
@config_option
def add(name: str, role: Role, config_path: Path | None) -> None:
    """Add a user, or give one another password or role. The password is asked for, or read from standard input."""
    from switchgear.web.auth.passwords import hash_password
    from switchgear.web.auth.users import User, check_name
    from switchgear.web.auth.users_file import save_users

    path, users = _users(config_path, may_be_missing=True)
    known = check_name(name) in users
    users[name] = User(name=name, role=role, digest=hash_password(_password()))
    save_users(path, users)
    say(f"{name} ({role}) {'was changed' if known else 'may sign in'}. Undo: switchgear users remove {name}")


@command.command("list", examples=("switchgear users list --json",))
@config_option
@json_option
def list_users(config_path: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Show who may sign in."""
    path, users = _users(config_path, may_be_missing=True)
    if as_json:
        print_json({"items": [{"name": user.name, "role": user.role} for user in users.values()], "next": None})
    elif users:
        print_table(("USER", "ROLE"), ((text_of(user.name), user.role) for user in users.values()))
    else:
        say(f"{path} names nobody yet: switchgear users add NAME")


@command.command("remove", examples=("switchgear users remove bob --yes",))
@click.argument("name")
@config_option
@yes_option
def remove(name: str, config_path: Path | None, yes: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Take away the way in of a user."""
    from switchgear.web.auth.users_file import save_users

    path, users = _users(config_path, may_be_missing=False)
    if name not in users:
        refuse_unknown("user", name, users)
    require_consent(f"Remove {name}?", given=yes)
    del users[name]
    save_users(path, users)
    say(f"{name} may not sign in any more.")


def _users(config_path: Path | None, *, may_be_missing: bool) -> tuple[Path, dict[str, User]]:
    from switchgear.web.auth.users_file import load_users

    named = read(config_path).config.server.users_file
    if named is None:
        msg = 'no users file is configured; set users_file = "users" in [server]'
        raise ConfigError(msg)
    path = Path(named)
    if may_be_missing and not path.exists():
        return path, {}
    return path, dict(load_users(path).by_name)


def _password() -> str:
    if sys.stdin.isatty():
        prompted: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return prompted
    return sys.stdin.readline(_LONGEST).removesuffix("\n").removesuffix("\r")
