from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from switchgear.cli.base import Command
from switchgear.cli.output import Cell, print_facts, print_table, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Every column but the last is as wide as its widest cell, and no line ends in blanks."""
    print_table(("NAME", "STATE", "WHY"), [("a", Cell("OPEN", "crit"), "x"), ("longer", "closed", "")])

    assert capsys.readouterr().out == "NAME    STATE   WHY\na       OPEN    x\nlonger  closed\n"


def test_facts_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Values stand below each other."""
    print_facts([("a", "1"), ("long", Cell("2", "ok"))])

    assert capsys.readouterr().out == "a     1\nlong  2\n"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (3, "3"), ("ü€", "ü€"), ("\x1b[2Ja\n", "�[2Ja�")])
def test_text_from_outside_commands_no_terminal(value: object, text: str) -> None:
    """Control characters in what callers sent (a job's name, say) are shown as such and not obeyed."""
    assert text_of(value) == text


def coloured(arguments: Sequence[str], *, terminal: bool) -> str:
    """Return what a command prints in colour, on a terminal or in a pipe."""

    @click.command(cls=Command)
    @click.pass_context
    def command(ctx: click.Context) -> None:
        if ctx.color is None:
            ctx.color = terminal  # click would ask the stream
        print_table(("STATE",), [(Cell("OPEN", "crit"),)])

    with pytest.MonkeyPatch.context() as patch:
        heard: list[str] = []
        patch.setattr("switchgear.cli.output.click.echo", lambda text: heard.append(_as_echoed(text)))
        command.main(args=list(arguments), standalone_mode=False)
        return heard[-1]


def _as_echoed(text: str) -> str:
    color = click.get_current_context().color
    return text if color else click.unstyle(text)


def test_a_terminal_gets_colours() -> None:
    """On a terminal a state has its colour, beside its word."""
    assert coloured([], terminal=True) == "\x1b[31m\x1b[1mOPEN\x1b[0m"


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [("NO_COLOR", "1", []), ("TERM", "dumb", []), ("X", "", ["--no-color"])],
)
def test_colours_can_be_declined(name: str, value: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR, TERM=dumb and --no-color each take the colours away, also on a terminal."""
    monkeypatch.setenv(name, value)

    assert coloured(arguments, terminal=True) == "OPEN"


def test_a_pipe_gets_no_escapes() -> None:
    """What is no terminal gets plain text."""
    assert coloured([], terminal=False) == "OPEN"
