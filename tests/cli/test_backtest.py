from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

TRACE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-11-24 12:00:00.1,1000,10\n2026-11-24 12:00:01,1000,10\n"


@pytest.fixture
def new(filled: Path) -> Path:
    """A configuration to try: one budget, smaller than what was spent."""
    file = filled / "new.toml"
    file.write_text(
        '[[budgets]]\nname = "small"\nlimit_usd = "0.0015"\n[services.geocoder]\nbreaker = { probes = 2 }\n'
    )
    return file


def test_what_other_budgets_would_have_done(new: Path, run: Run) -> None:
    """The diff against what happened, the rule that decides, and the job that is hurt."""
    result = run("backtest", "--budgets", "new.toml", "--json")

    report = json.loads(result.out)
    assert result.code == 0
    assert report["attempts"] == 4
    assert (report["in_fact"]["went_out"], report["replayed"]["went_out"]) == (3, 2)
    assert (report["newly_refused"], report["saved_usd"], report["newly_let_out"]) == (1, "0.00088", 0)
    assert [rule["rule"] for rule in report["rules"]] == ["small"]
    assert [(job["job"], job["refused"]) for job in report["jobs"]] == [("acme", 1)]


def test_the_same_as_text(new: Path, run: Run) -> None:
    """People read two columns, the effects, rules and jobs."""
    out = run("backtest", "--budgets", "new.toml").out

    assert out.startswith("4 attempts from 2026-11-24 12:00 to 2026-11-24 12:00 UTC\n")
    assert "would be refused   1; saves $0.00088\n" in out
    assert out.splitlines()[-1].split() == ["acme", "2", "1", "0", "-", "$0.00088"]


def test_only_a_part(new: Path, run: Run) -> None:
    """Another month has no calls; that is a message, not an error."""
    result = run("backtest", "--budgets", "new.toml", "--from", "2026-12")

    assert result == (0, "", "There are no calls to replay.\n")


def test_a_trace(new: Path, run: Run) -> None:
    """A trace is played at the prices of the model, without a ledger."""
    (new.parent / "trace.csv").write_text(TRACE)
    (new.parent / "switchgear.db").unlink()

    result = run(
        "backtest", "--budgets", "new.toml", "--trace", "trace.csv", "--service", "openai", "--model", "house", "--json"
    )

    report = json.loads(result.out)
    assert (report["in_fact"]["cost_usd"], report["newly_refused"]) == ("0.00204", 1)


def test_services_that_the_other_configuration_lacks(filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their calls are left out, which is said."""
    (filled / "new.toml").write_text("[services.openai]\ncritical = true\n")
    (filled / "empty.toml").write_text("[services.openai]\n")

    result = run("backtest", "--config", "empty.toml", "--budgets", "new.toml")

    assert result.err == "1 attempts of geocoder were left out: the configuration has no such service.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Missing option '--budgets'"),
        (("--budgets", "none.toml"), "none.toml: no such file"),
        (("--budgets", "bad.toml"), 'bad.toml:2: services.openai.limts: unknown key; did you mean "limits"?'),
        (("--budgets", "new.toml", "--to", "x"), "--to: 'x' is not a date"),
        (("--budgets", "new.toml", "--model", "m"), "--service and --model go with --trace"),
        (("--budgets", "new.toml", "--trace", "t.csv"), "--trace needs --service: one of geocoder, openai."),
        (("--budgets", "new.toml", "--trace", "t.csv", "--service", "opnai"), "did you mean 'openai'?"),
        (("--budgets", "new.toml", "--trace", "t.csv", "--service", "openai"), "t.csv: can't be read"),
    ],
)
def test_bad_input(words: tuple[str, ...], said: str, new: Path, run: Run) -> None:
    """What can't be played is exit code 2, with what is valid."""
    (new.parent / "bad.toml").write_text("[services.openai]\nlimts = {}\n")

    result = run("backtest", *words)

    assert result.code == 2
    assert said in result.err
