from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.cli.settings import address, read
from switchgear.config import load_text
from switchgear.errors import ConfigError


def write(path: Path, port: int) -> Path:
    """Write a configuration that can be told by its *port*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[server]\nport = {port}\n", encoding="utf-8")
    return path


def test_without_a_file_defaults_are_in_force(here: Path) -> None:
    """Nothing found means built-in services on port 8400."""
    found = read(None)

    assert (found.path, found.config.server.port) == (None, 8400)


def test_the_nearest_file_wins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option goes before SWITCHGEAR_CONFIG, that before ./switchgear.toml, that before the home folder."""
    write(here / "home/.config/switchgear/config.toml", 4)
    assert read(None).config.server.port == 4

    write(here / "switchgear.toml", 3)
    assert read(None).config.server.port == 3

    monkeypatch.setenv("SWITCHGEAR_CONFIG", str(write(here / "named.toml", 2)))
    assert read(None).config.server.port == 2

    assert read(write(here / "given.toml", 1)).config.server.port == 1


def test_a_named_file_must_exist(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that SWITCHGEAR_CONFIG names and that is not there is an error, not a default."""
    monkeypatch.setenv("SWITCHGEAR_CONFIG", "nowhere.toml")

    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        read(None)


def test_the_environment_wins_over_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SWITCHGEAR_SERVER__PORT is heard by every command."""
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", "5")

    assert read(write(here / "given.toml", 1)).config.server.port == 5


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8400"),
        ("0.0.0.0", "http://127.0.0.1:8400"),  # noqa: S104 - nothing is bound
        ("::1", "http://[::1]:8400"),
        ("::", "http://[::1]:8400"),
    ],
)
def test_the_address_is_one_that_can_be_called(host: str, url: str) -> None:
    """Where a server listens on every address, it is asked on the loopback one."""
    assert address(load_text(f'[server]\nhost = "{host}"\n')) == url
