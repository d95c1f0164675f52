from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click
import pytest

from switchgear.cli.root import COMMANDS
from switchgear.version import __version__

if TYPE_CHECKING:
    from tests.cli.conftest import Run

HEAVY = ("click", "rich", "pydantic", "sqlalchemy", "msgspec", "httpx2")


@pytest.mark.parametrize("word", ["--version", "version"])
def test_the_version_loads_next_to_nothing(word: str) -> None:
    """`--version` answers without importing click, rich, pydantic or SQLAlchemy."""
    code = f"import sys; from switchgear.cli import main; main([{word!r}]); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    said, modules = done.stdout.splitlines()
    assert said == f"switchgear {__version__}"
    assert set(modules.split()).isdisjoint(HEAVY)


def test_help_loads_no_command() -> None:
    """`--help` tells what there is without importing pydantic, rich or SQLAlchemy."""
    code = "import sys; from switchgear.cli import main; main(['--help']); print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert set(done.stdout.splitlines()[-1].split()).isdisjoint(set(HEAVY) - {"click"})


def test_python_dash_m_is_the_command() -> None:
    """`python -m switchgear` does what `switchgear` does."""
    done = subprocess.run([sys.executable, "-m", "switchgear", "version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"switchgear {__version__}\n"


def test_help_leads_with_examples(run: Run) -> None:
    """Examples come before usage and options, and every command has its line."""
    result = run("--help")

    assert result.code == 0
    assert result.out.index("Examples:") < result.out.index("Usage:") < result.out.index("Options:")
    assert all(f"  {name} " in result.out for name in COMMANDS)


def test_no_arguments_is_a_question_for_help(run: Run) -> None:
    """Called alone, the command shows its help and that is no error."""
    assert run() == run("--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_contents_is_true(name: str, run: Run) -> None:
    """Each command of the table exists, bears its name, and says in its own help what the table says."""
    module, line = COMMANDS[name]
    command: click.Command = import_module(module).command

    assert command.name == name
    assert (command.help or "").split("\n\n", 1)[0].replace("\n", " ").startswith(line.rstrip("."))
    assert run(name, "--help").code == 0


def test_every_verb_has_one_line_of_help() -> None:
    """No command and no verb is without help that begins with a line and goes on with examples."""
    for module, _ in COMMANDS.values():
        command: click.Command = import_module(module).command
        for one in (command, *getattr(command, "commands", {}).values()):
            text = one.get_help(click.Context(one))

            assert one.help
            assert "Examples:\n  switchgear " in text, one.name


def test_an_unknown_command_gets_the_nearest_one(run: Run) -> None:
    """A typo is answered with the command that was meant, on standard error, with exit code 2."""
    result = run("servces")

    assert (result.code, result.out) == (2, "")
    assert "there is no command 'servces'; did you mean 'services'?" in result.err


def test_an_unknown_verb_gets_the_known_ones(run: Run) -> None:
    """A verb that is like none of them is answered with all of them."""
    result = run("budgets", "zzz")

    assert result.code == 2
    assert "there is no command 'zzz'; known are forecast, list, set, show." in result.err


def test_the_version_as_json(run: Run) -> None:
    """`version --json` is an object with the version."""
    result = run("version", "--json")

    assert result.code == 0
    assert f'"version": "{__version__}"' in result.out
