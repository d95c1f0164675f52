from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchgear.cli import main
from switchgear.config import load
from switchgear.errors import ConfigError
from switchgear.server import Server

pytestmark = pytest.mark.e2e

CONFIG = """
[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.tool]
base_url = "http://127.0.0.1:9"
prices = {{ "*" = {{ request = "0.002" }} }}

[runner]
pipelines = ["flows_of_this_test:apply"]
url = "sqlite:///{folder}/runs.db"
heartbeat = "100ms"
drain = "1s"
"""
FLOWS = '''
from switchgear.runner import artefact, governor, layer, log, pipeline, progress


@layer(budget_usd="0.05")
async def read(company: str) -> str:
    async with governor().call("tool", units={"request": 1}):
        log(f"reading {company}")
    artefact("note.txt", company)
    progress(2, 4)
    return company


@layer(on_refused="pause")
async def write(company: str) -> str:
    if company == "broken":
        raise ValueError("no such company")
    for _ in range(3):
        async with governor().call("tool", units={"request": 1}):
            pass
    return company


@pipeline(layers=[read, write])
async def apply(company: str) -> str:
    """Write to a company."""
    return await write(await read(company))
'''


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server that runs a pipeline of the working directory."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "flows_of_this_test.py").write_text(FLOWS, encoding="utf-8")
    path = folder / "switchgear.toml"
    path.write_text(CONFIG.format(folder=folder), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [one for one in sys.path if one])
        with Server(load(path, environ={}), port=0) as one:
            yield one.url
        sys.modules.pop("flows_of_this_test", None)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWITCHGEAR_URL", server)


def start(company: str, *more: str) -> int:
    """Start a run from a file."""
    Path("input.json").write_text(json.dumps({"company": company}), encoding="utf-8")
    return main(["runs", "start", "apply", "--input", "input.json", *more])


def test_a_run_is_followed_to_its_end_with_its_cost_beside_what_was_expected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a past the cost is not known; with one it is, and what was spent stands beside it."""
    assert start("acme", "--name", "first", "--job", "j", "--budget", "0.05") == 0
    told = capsys.readouterr()
    assert "not known: no run of this pipeline" in told.err
    assert "read: reading acme" in told.err
    assert told.out == "first done: $0.0080 of $0.05\n"
    assert start("acme", "--name", "second") == 0
    told = capsys.readouterr()
    assert "Expected cost: $0.0080" in told.err
    assert told.out == "second done: $0.0080, expected were $0.0080\n"


def test_a_run_that_fails_can_be_looked_at_and_redone(capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code is 3, the way on is said, and show, logs, list and retry agree on it."""
    assert start("broken", "--name", "lost") == 3
    assert "Resume with: switchgear runs resume lost" in capsys.readouterr().err
    assert main(["runs", "show", "lost"]) == 0
    shown = capsys.readouterr()
    assert "ValueError: no such company" in shown.out
    assert "2/4" in shown.out
    assert "note.txt: 6 bytes, of read" in shown.err
    assert main(["runs", "logs", "lost"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("it failed: layer write: ValueError: no such company")
    assert main(["runs", "list", "--status", "failed", "--json"]) == 0
    assert [item["run"] for item in json.loads(capsys.readouterr().out)["items"]] == ["lost"]
    assert main(["runs", "retry", "lost", "--layer", "write", "--follow"]) == 3
    assert "it is redone from write on" in capsys.readouterr().err


def test_a_run_that_its_budget_stops_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """A paused run is exit code 5; it can be cancelled, and then not once more."""
    assert start("acme", "--name", "poor", "--budget", "0.004") == 5
    assert "poor paused: $0.0040 of $0.0040" in capsys.readouterr().out
    assert main(["runs", "cancel", "poor"]) == 0
    assert main(["runs", "cancel", "poor"]) == 2
    assert "run 'poor' is cancelled: it can't be cancelled" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "nobody"], "no run 'nobody'"),
        (["start", "other"], "no pipeline 'other'; the known ones are: apply"),
        (["start", "apply"], "missing a required argument"),
        (["start", "apply", "--input", "nowhere.json"], "No such file"),
    ],
)
def test_what_is_wrong_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """A run, a pipeline or an input that is not there is a usage error that says so."""
    assert main(["runs", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('pipelines = ["nowhere:apply"]', "No module named 'nowhere'"),
        ('pipelines = ["json:loads"]', "is no pipeline"),
        ('pipelines = ["apply"]', 'named "module:function"'),
        ('heartbeat = "10s"', "at least three heartbeats"),
        ('url = "mysql://x"', "must be sqlite:///PATH"),
    ],
)
def test_a_runner_that_can_not_be_is_told_at_the_start(tmp_path: Path, line: str, words: str) -> None:
    """A pipeline that can't be imported, and settings that do not fit, are errors of the configuration."""
    path = tmp_path / "switchgear.toml"
    path.write_text(f'[ledger]\nurl = "sqlite:///{tmp_path}/l.db"\n[runner]\n{line}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=words), Server(load(path, environ={}), port=0):
        pass
