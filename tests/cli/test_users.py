from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from switchgear.cli.root import root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration that names a users file."""
    file = tmp_path / "switchgear.toml"
    file.write_text(f'[server]\nusers_file = "{tmp_path / "users"}"\n')
    return str(file)


def _run(*args: str, given: str = "") -> tuple[int, str]:
    found = CliRunner().invoke(root, ["users", *args], input=given, standalone_mode=False)
    output = found.output + (str(found.exception) if found.exception else "")
    return (1 if found.exception else 0), output


def test_users_come_and_go(config: str, tmp_path: Path) -> None:
    """Added with a password from standard input, listed without it, changed, removed."""
    added = _run("add", "ada", "--config", config, given="correct horse\n")
    bob = _run("add", "bob", "--role", "viewer", "--config", config, given="battery staple")
    listed = json.loads(_run("list", "--json", "--config", config)[1])
    removed = _run("remove", "bob", "--yes", "--config", config)

    assert (added[0], bob[0], removed[0]) == (0, 0, 0)
    assert [(user["name"], user["role"]) for user in listed["items"]] == [("ada", "admin"), ("bob", "viewer")]
    text = (tmp_path / "users").read_text()
    assert text.startswith("ada:admin:$argon2id$")
    assert "bob" not in text
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("args", "given", "why"),
    [
        (["add", "ada"], "short\n", "a password has 10 to 1024 characters"),
        (["add", "a:b"], "correct horse\n", "a user's name is made of letters"),
        (["remove", "nobody", "--yes"], "", "No such file"),
    ],
)
def test_what_is_wrong_is_told(config: str, args: list[str], given: str, why: str) -> None:
    """And nothing is written."""
    code, output = _run(*args, "--config", config, given=given)

    assert code == 1
    assert why in output


def test_without_a_users_file_it_says_how_to_get_one(tmp_path: Path) -> None:
    """The key that is to be set."""
    file = tmp_path / "switchgear.toml"
    file.write_text("")

    assert "set users_file" in _run("list", "--config", str(file))[1]
