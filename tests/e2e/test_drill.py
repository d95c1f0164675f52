"""``switchgear drill`` itself: green where all is well, and red where something was broken on purpose."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from switchgear.drills.catalogue import SCENARIOS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BROKEN = {
    "outage": (
        "from switchgear.policies.breaker import Breaker; Breaker._judge = lambda *_: None",
        "failures until the breaker opens",
    ),
    "limiter": (
        "from switchgear.policies.limiter import Limiter; Limiter._is_free = lambda *_: True",
        "most requests in any minute",
    ),
    "budget": (
        "from switchgear.policies.budget import Pot; Pot.fits = lambda *_: True",
        "processes over the gateway: overspent, by the provider's own count",
    ),
    "accuracy": (
        "from switchgear.policies import pricing as p; f = p.PriceBook.cost; p.PriceBook.cost = lambda *w: f(*w) + 1",
        "dollars in the ledger, beside the provider's tokens at its prices",
    ),
}
"""For scenarios, one line that makes the gate do wrong, and what must be found then."""


def drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "switchgear", "drill", "--quick", "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def missed(report: dict[str, Any]) -> list[str]:
    """Return what did not come to its threshold, and what broke off."""
    results = report["results"]
    checks = [check["what"] for result in results for check in result["checks"] if not check["passed"]]
    return checks + [result["reason"] for result in results if result["reason"]]


def test_every_scenario_passes_on_this_machine(tmp_path: Path) -> None:
    """All of them run and pass, the exit code is 0, and the report has them all."""
    done = drill("--report", str(tmp_path / "drill.html"))
    report = json.loads(done.stdout)

    assert missed(report) == []
    assert done.returncode == 0, done.stderr
    assert [result["scenario"] for result in report["results"]] == list(SCENARIOS)
    html = (tmp_path / "drill.html").read_text(encoding="utf-8")
    assert f"{len(SCENARIOS)} passed, 0 failed, 0 not run" in html


@pytest.mark.parametrize("scenario", BROKEN)
def test_what_is_broken_on_purpose_is_found(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a gate that does the wrong thing the drill is red and exits with 3."""
    breakage, found = BROKEN[scenario]
    (tmp_path / "sitecustomize.py").write_text(breakage, encoding="utf-8")
    source = Path(__file__).parent.parent.parent / "src"
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{source}")
    done = drill(scenario)
    report = json.loads(done.stdout)

    assert done.returncode == 3
    assert report["passed"] is False
    assert found in missed(report)
