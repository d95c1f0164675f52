"""``switchgear init``."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from switchgear.cli.base import Command
from switchgear.cli.output import say
from switchgear.cli.settings import DEFAULT_FILE
from switchgear.errors import ConfigError

__all__ = ["command"]


@click.command(
    cls=Command,
    name="init",
    examples=("switchgear init", 'eval "$(switchgear init)"     and point this shell\'s SDKs to the gateway'),
)
@click.option(
    "--path", type=click.Path(path_type=Path), default=Path(DEFAULT_FILE), show_default=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def command(path: Path, force: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Write a commented configuration.

    On standard output: the lines that point OpenAI's and Anthropic's SDKs to the gateway.
    """
    from switchgear.cli.settings import address
    from switchgear.config import TEMPLATE, load_text

    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        msg = f"{path}: exists already, and is left as it is; --force overwrites it"
        raise ConfigError(msg) from None
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}"
        raise ConfigError(msg) from None
    say(f"Wrote {path}. Point the SDKs to the gateway:")
    url = address(load_text(TEMPLATE))
    click.echo(f"export OPENAI_BASE_URL={url}/openai/v1")
    click.echo(f"export ANTHROPIC_BASE_URL={url}/anthropic")
    option = "" if path == Path(DEFAULT_FILE) else f" --config {shlex.quote(str(path))}"
    say(f"Next: switchgear serve{option}")
