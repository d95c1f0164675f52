from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from switchgear.config import TEMPLATE

if TYPE_CHECKING:
    from tests.cli.conftest import Run

EXPORTS = (
    "export OPENAI_BASE_URL=http://127.0.0.1:8400/openai/v1\n"
    "export ANTHROPIC_BASE_URL=http://127.0.0.1:8400/anthropic\n"
)


def test_it_writes_a_configuration_and_says_what_is_next(here: Path, run: Run) -> None:
    """The template lands in ./switchgear.toml; data are two export lines, messages the next command."""
    result = run("init")

    assert (result.code, result.out) == (0, EXPORTS)
    assert (here / "switchgear.toml").read_text(encoding="utf-8") == TEMPLATE
    assert result.err.endswith("Next: switchgear serve\n")


def test_what_it_writes_is_valid(here: Path, run: Run) -> None:
    """A doctor finds nothing wrong with a fresh configuration."""
    run("init", "--path", "mine.toml")

    result = run("services", "list", "--config", "mine.toml", "--json")

    assert result.code == 0
    assert '"name": "openai"' in result.out


def test_it_overwrites_nothing(here: Path, run: Run) -> None:
    """A file that exists stays as it is, and the exit code is 2."""
    (here / "switchgear.toml").write_text("# mine\n", encoding="utf-8")

    result = run("init")

    assert (result.code, result.out) == (2, "")
    assert result.err == "switchgear.toml: exists already, and is left as it is; --force overwrites it\n"
    assert (here / "switchgear.toml").read_text(encoding="utf-8") == "# mine\n"


def test_it_overwrites_when_told_to(here: Path, run: Run) -> None:
    """--force writes over a file."""
    (here / "switchgear.toml").write_text("# mine\n", encoding="utf-8")

    assert run("init", "--force").code == 0
    assert (here / "switchgear.toml").read_text(encoding="utf-8") == TEMPLATE


def test_another_place_is_told_to_serve(here: Path, run: Run) -> None:
    """The next command names a file that `serve` would not find by itself."""
    result = run("init", "--path", "my conf.toml")

    assert result.err.endswith("Next: switchgear serve --config 'my conf.toml'\n")


@pytest.mark.parametrize("path", ["nowhere/switchgear.toml", "."])
def test_a_place_that_can_not_be_written_is_said(path: str, here: Path, run: Run) -> None:
    """A folder that is missing, or in the way, is one line and exit code 2."""
    result = run("init", "--path", path)

    assert result.code == 2
    assert result.err.startswith(path)
    assert result.err.count("\n") == 1
