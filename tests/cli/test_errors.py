from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from switchgear.calls import Refusal
from switchgear.cli.errors import UnreachableError, run
from switchgear.errors import ConfigError, LedgerError, StateError, refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

REFUSAL = Refusal(reason="budget", rule="all", service="openai", message="budget all has no room")


def command_that_raises(error: BaseException) -> click.Command:
    """Return a command whose run ends with *error*."""

    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("a.toml:1: x: unknown key"), 2),
        (click.UsageError("no such option"), 2),
        (LedgerError("the ledger is gone"), 4),
        (StateError("the state is gone"), 4),
        (UnreachableError("no server"), 4),
        (refused(REFUSAL), 5),
        (KeyboardInterrupt(), 130),
        (RuntimeError("oops"), 1),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors become exit codes, their text goes to standard error, and standard output stays empty."""
    assert run(command_that_raises(error), []) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert str(error) in err


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is told in one line that says it is one, without a traceback."""
    run(command_that_raises(RuntimeError("two\nlines")), [])

    err = capsys.readouterr().err
    assert err.startswith("This is a bug in Switchgear (RuntimeError: two lines); please report it")
    assert err.count("\n") == 1


def test_debugging_shows_where_a_bug_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With SWITCHGEAR_DEBUG=1 the traceback comes first."""
    monkeypatch.setenv("SWITCHGEAR_DEBUG", "1")

    run(command_that_raises(RuntimeError("oops")), [])

    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`switchgear ... | head` ends quietly and well."""
    redirected: list[tuple[int, int]] = []
    monkeypatch.setattr("switchgear.cli.errors.os.dup2", lambda a, b: redirected.append((a, b)))
    monkeypatch.setattr("switchgear.cli.errors.sys.stdout", type("Closed", (), {"fileno": lambda _self: 1})())

    assert run(command_that_raises(BrokenPipeError()), []) == 0

    assert [to for _, to in redirected] == [1]


BAD = {
    "unknown key": ("[servr]\nport = 1\n", "switchgear.toml:1: servr: ", 'did you mean "server"?'),
    "wrong type": ('[server]\nport = "x"\n', "switchgear.toml:2: server.port: ", ""),
    "unknown service": (
        '[services.openai]\n[[budgets]]\nname = "b"\nlimit_usd = "1"\nmatch = { service = "opnai" }\n',
        "switchgear.toml:5: budgets.b.match.service: ",
        'did you mean "openai"?',
    ),
    "twice": ("[services.a]\n[services.a]\n", "switchgear.toml:2: services.a: ", ""),
    "price": (
        '[services.openai]\nprices = { "m" = { input = "cheap" } }\n',
        "switchgear.toml:2: services.openai.prices.m.input: ",
        "",
    ),
    "duration": ('[services.openai]\nmax_wait = "30"\n', "switchgear.toml:2: services.openai.max_wait: ", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configuration_is_one_clear_line(case: str, here: Path, run: Run) -> None:
    """Each wrong setting is told in one line with file, line, key and the nearest word; nothing is started."""
    text, start, hint = BAD[case]
    (here / "switchgear.toml").write_text(text, encoding="utf-8")

    result = run("serve")

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(start)
    assert result.err.rstrip("\n").endswith(hint)
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in here.iterdir()) == ["switchgear.toml"]
