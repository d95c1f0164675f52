"""docs/ says what the code does, and nothing that the code has is missing there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import click
import pytest

from switchgear import errors
from switchgear.alerts.rules import rules_of
from switchgear.calls import Reason
from switchgear.cli.root import root
from switchgear.config import load_text
from switchgear.wire.refusals import REFUSAL_STATUS

pytestmark = pytest.mark.docs

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = sorted((ROOT / "docs").glob("*.md"))
MAKERS: Final = {"Problem", "send_problem"}
ERRORS: Final = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """No broken link, no page that nothing leads to, no snippet that is gone."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    command_line = (tmp_path / "reference" / "cli" / "index.html").read_text(encoding="utf-8")
    assert "switchgear-budgets-list" in command_line or "budgets" in command_line
    assert "CircuitBreaker" in (tmp_path / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    assert "switchgear_calls" in (tmp_path / "reference" / "metrics" / "index.html").read_text(encoding="utf-8")
    assert "/api/health" in (tmp_path / "reference" / "http" / "index.html").read_text(encoding="utf-8")


def test_every_error_is_in_the_catalogue() -> None:
    """Each exception of ours is explained in docs/errors.md."""
    classes = inspect.getmembers(errors, inspect.isclass)
    ours = {name for name, one in classes if issubclass(one, errors.SwitchgearError)}
    assert {name for name in ours if f"`{name}` |" not in ERRORS} == set()


def test_every_refusal_is_in_the_catalogue_with_its_status() -> None:
    """Each reason for which the gate says no has a row with the status that the wire gives it."""
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", ERRORS, re.MULTILINE)
    expected = {(reason, REFUSAL_STATUS[reason]) for reason in get_args(Reason)}
    assert {(reason, int(status)) for reason, status in rows} == expected


def test_every_answer_of_the_gateway_is_in_the_catalogue() -> None:
    """Each problem that the gateway's code can tell has a row with its status and title."""
    known = set(re.findall(r"^\| (\d{3}) \| ([A-Z][^|]+?) \|", ERRORS, re.MULTILINE))
    said = {found for path in (ROOT / "src/switchgear/gateway").glob("*.py") for found in problems(path)}
    assert ("404", "Unknown service") in said
    assert said - known == set()
    assert known - said == {("401", "Unauthorized"), ("403", "Forbidden")}  # said in wire/, in the provider's shape


def problems(path: Path) -> Iterator[tuple[str, str]]:
    """Yield status and title of every problem that *path* makes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
            constants = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if len(constants) > 1 and isinstance(constants[0], int):
                yield str(constants[0]), str(constants[1])


def test_every_alert_has_its_page_in_the_runbook() -> None:
    """Each built-in rule says there what it means and what to do, and none is there that does not exist."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    config = load_text("[[alerts.rules]]\nname = 'slow'\nabove = 1000\n", environ={})
    assert set(re.findall(r"^## (\S+)$", text, re.MULTILINE)) == {rule.name for rule in rules_of(config.alerts)}
    for part in text.split("\n## ")[1:]:
        assert "**Means**" in part
        assert "**Do**" in part or "**do**" in part


def shown_commands() -> Iterator[tuple[str, str]]:
    """Yield the page and the text of every `switchgear ...` command that a page shows."""
    for page in [*PAGES, ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8")
        shown = re.findall(r"`switchgear ([a-z][^`\n]*)`", text)
        shown += re.findall(r"^ +switchgear ([a-z].*?)(?:  +#.*)?$", text, re.MULTILINE)
        yield from ((page.name, one) for one in shown)


@pytest.mark.parametrize(("page", "command"), sorted(set(shown_commands())))
def test_every_command_that_a_page_shows_exists(page: str, command: str) -> None:
    """Its words are commands, its options are options of them."""
    words = [
        word
        for word in shlex.split(command.split(" && ", maxsplit=1)[0].split(" | ", maxsplit=1)[0], comments=True)
        if word != "..."
    ]
    at: click.Command = root
    context = click.Context(root)
    while isinstance(at, click.Group) and words:
        found = at.get_command(context, words[0])
        assert found is not None, f"{page}: there is no command {words[0]!r}"
        at = found
        words = words[1:]
    options = {option for parameter in at.params for option in parameter.opts} | {"--help"}
    assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in options] == []
