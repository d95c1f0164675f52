from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from switchgear.drills import catalogue
from switchgear.drills.catalogue import SCENARIOS, Scenario
from switchgear.drills.ground import Ground, NotRunError
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from tests.cli.conftest import Run


class Played(Scenario, frozen=True, kw_only=True):
    measured: float | None = 1

    def run(self, ground: Ground) -> Iterator[Check]:
        ground.say("playing")
        if self.measured is None:
            msg = "no stage is installed"
            raise NotRunError(msg)
        yield Check(what="figures", measured=self.measured, bound="exactly", wanted=1)


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three scenarios that take no time: one for each outcome."""
    played = {
        name: Played(name=name, title=f"A {name} play", promise="it holds", measured=measured)
        for name, measured in (("good", 1), ("bad", 2), ("none", None))
    }
    monkeypatch.setattr(catalogue, "SCENARIOS", played)


def test_the_list_names_every_scenario_and_runs_none(run: Run) -> None:
    """`--list` says what there is, as a table and as JSON."""
    shown, asked = run("drill", "--list"), run("drill", "--list", "--json")

    assert (shown.code, asked.code) == (0, 0)
    assert all(f"\n{name} " in shown.out for name in SCENARIOS)
    assert [item["name"] for item in json.loads(asked.out)["items"]] == list(SCENARIOS)


@pytest.mark.usefixtures("plays")
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["good"], 0, "good: passed"),
        (["bad"], 3, "bad: FAILED in 0.0 s (figures: 2, not exactly 1)"),
        (["none"], 3, "none: not run in 0.0 s (no stage is installed)"),
        (["good", "none"], 3, "What was not run has not passed; --skip none leaves it out on purpose."),
        (["--skip", "bad", "--skip", "none"], 0, "[1/1] good"),
        ([], 3, "[3/3] none"),
    ],
)
def test_only_a_round_in_which_all_passed_exits_with_0(run: Run, arguments: list[str], code: int, told: str) -> None:
    """Failed and not run are 3, progress goes to standard error, and what was skipped does not count."""
    done = run("drill", *arguments)

    assert done.code == code
    assert told in done.err


@pytest.mark.usefixtures("plays")
def test_the_figures_come_as_a_table_or_as_json(run: Run) -> None:
    """Data is on standard output: every figure with its threshold, and the counts by outcome."""
    table, data = run("drill"), json.loads(run("drill", "--quick", "--json").out)

    assert "MISSED" in table.out
    assert "exactly 1" in table.out
    assert table.out.endswith("1 passed\n1 failed\n1 not run\n")
    assert (data["format"], data["passed"], data["quick"]) == (1, False, True)
    assert [result["status"] for result in data["results"]] == ["passed", "failed", "not_run"]


@pytest.mark.usefixtures("plays")
def test_the_report_is_written_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    """`--report FILE` has the same outcomes, also when something failed."""
    done = run("drill", "--report", str(tmp_path / "drill.html"))

    assert done.code == 3
    assert "1 passed, 1 failed, 1 not run" in (tmp_path / "drill.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("before", [None, "example.com"])
def test_no_proxy_stands_before_the_provider(run: Run, monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """While drills run, here and in processes that they start, no_proxy is for everything; then it is as before."""
    seen: list[str | None] = []

    class Looking(Played, frozen=True, kw_only=True):
        def run(self, ground: Ground) -> Iterator[Check]:
            seen.append(os.environ.get("no_proxy"))
            return super().run(ground)

    monkeypatch.setattr(catalogue, "SCENARIOS", {"good": Looking(name="good", title="A play", promise="it holds")})
    monkeypatch.setenv("no_proxy", before or "")
    if before is None:
        monkeypatch.delenv("no_proxy")

    assert run("drill").code == 0
    assert seen == ["*"]
    assert os.environ.get("no_proxy") == before


def test_a_scenario_that_is_not_there_is_named_with_the_nearest(run: Run) -> None:
    """A slip of the pen is answered with what was probably meant, also behind `--skip`."""
    for arguments in (["outrage"], ["--skip", "outrage"]):
        done = run("drill", *arguments)
        assert done.code == 2
        assert "there is no scenario 'outrage'; did you mean 'outage'?" in done.err


def test_nothing_left_to_run_is_a_mistake(run: Run) -> None:
    """Skipping all that was asked for is no pass."""
    assert run("drill", "outage", "--skip", "outage").code == 2
