from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

import click
import pytest

from switchgear.cli.consent import operator, require_consent
from switchgear.cli.meter import meter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with click.Context(click.Command("x")):
        yield


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing moves where nobody looks."""
    with meter("pruning", 10, "attempts") as advance:
        advance(5)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("total", [10, None])
def test_a_terminal_gets_a_bar(
    total: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal there is a bar with how much is done, on standard error."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")

    with meter("pruning", total, "attempts") as advance:
        advance(5)
        advance(5)

    out, err = capsys.readouterr()
    assert out == ""
    assert "pruning" in err
    assert f"10/{total or '?'}" in err


def test_consent_is_asked_for_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Yes goes on, no changes nothing, and --yes asks nobody."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    answers = iter([True, False])
    monkeypatch.setattr(click, "confirm", lambda question, err: next(answers))

    require_consent("Sure?", given=False)
    with pytest.raises(click.UsageError, match=r"Nothing was changed\."):
        require_consent("Sure?", given=False)
    require_consent("Sure?", given=True)


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user may have no name; the audit trail says so."""

    def fail() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", fail)

    assert operator() == "unknown"
