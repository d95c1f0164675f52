"""Where the configuration is looked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

if TYPE_CHECKING:
    from switchgear.config.model import Config

__all__ = ["DEFAULT_FILE", "Settings", "address", "config_option", "located", "read", "url_option"]

DEFAULT_FILE: Final = "switchgear.toml"

config_option: Final = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"Configuration; default: SWITCHGEAR_CONFIG, ./{DEFAULT_FILE}, ~/.config/switchgear/config.toml, built in.",
)
url_option: Final = click.option(
    "--url", metavar="URL", help="Address of the server; default: SWITCHGEAR_URL, or as the configuration says."
)


class Settings(NamedTuple):
    """A configuration and the file that it is from; None: none was found, and defaults are in force."""

    config: Config
    path: Path | None


def read(given: Path | None) -> Settings:
    """Return the configuration of *given*, or of the first place that has one.

    Raises:
        ConfigError: something is wrong in it.
    """
    from switchgear.config import load

    path = located(given)
    return Settings(load(path, environ=os.environ), path)


def located(given: Path | None) -> Path | None:
    """Return *given*, or else the first place that has a configuration; None: there is none."""
    return given or _found()


def address(config: Config) -> str:
    """Return the URL at which the API of a server of *config* answers on this machine."""
    listens, port = config.server.admin or (config.server.host, config.server.port)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listens, listens)  # noqa: S104 - is replaced
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _found() -> Path | None:
    if named := os.environ.get("SWITCHGEAR_CONFIG"):
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    places = (Path(DEFAULT_FILE), home / "switchgear" / "config.toml")
    return next((place for place in places if place.is_file()), None)
