"""The demo as a stranger runs it: a real model where it is installed, a real server, the providers' own SDKs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from switchgear.local import MODEL, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

DEMO = (sys.executable, "-m", "switchgear", "demo", "--port", "0")


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of all processes that have *folder* in theirs."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


@contextmanager
def running_demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that does not outlive the test, whatever happens in it."""
    with subprocess.Popen([*DEMO, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            yield demo
        finally:
            demo.terminate()


def read_until(demo: subprocess.Popen[str], words: str) -> None:
    """Read the messages of *demo* up to a line with *words*."""
    assert demo.stderr is not None
    for line in iter(demo.stderr.readline, ""):
        if words in line:
            return
    pytest.fail(f"the demo ended without saying {words!r}")


def children_of(pid: int) -> list[str]:
    """Return the ids of all processes that *pid* has started."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


@pytest.mark.timeout(500)
@pytest.mark.parametrize("provider", ["model", "sandbox"])
def test_the_demo_adds_up(provider: str, tmp_path: Path) -> None:
    """Once through: a budget refuses, a breaker opens and recovers, and both ends count the same."""
    assert missing() is None, missing()
    more = ["--sandbox"] if provider == "sandbox" else []

    done = subprocess.run(
        [*DEMO, "--once", "--json", "--dir", str(tmp_path), *more], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    assert summary["upstream_served"] == summary["ledger_rows"] > 30
    assert summary["calls"] == summary["ok"] + summary["failed"] + summary["refused"]
    assert summary["refused"] == sum(summary["by_reason"].values())
    assert summary["by_reason"]["budget"] >= 1
    assert summary["by_reason"]["breaker"] == 3
    assert summary["breaker_opened"] is True
    assert summary["breaker_recovered"] is True
    assert summary["tokens"] > 500
    assert Decimal("0.001") < Decimal(summary["cost_usd"]) < Decimal("0.1")
    assert len(summary["text"].split()) > 5
    assert (summary["model"] == MODEL) is (provider == "model")
    assert summary["dashboard"].startswith("http://127.0.0.1:")
    assert summary["memory_mb"] < 120
    assert processes_of(tmp_path) == []
    prepared = summary["applications"]
    assert [(one["posting"], one["status"]) for one in prepared] == (
        [] if provider == "sandbox" else [("backend", "ok"), ("lead", "ok"), ("chef", "ok")]
    )
    assert all(Path(one["files"]["cv"]).read_bytes().startswith(b"%PDF") for one in prepared)


@pytest.mark.timeout(60)
def test_the_demo_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    """After the traffic the server goes on; SIGTERM ends it well, and leaves no process behind."""
    with running_demo("--sandbox", "--dir", str(tmp_path)) as demo:
        read_until(demo, "calls list")
        config = str(tmp_path / "switchgear.toml")
        status = subprocess.run(
            [sys.executable, "-m", "switchgear", "status", "--config", config],
            capture_output=True,
            text=True,
            check=False,
        )
        started = children_of(demo.pid)
        demo.send_signal(signal.SIGTERM)
        table, _ = demo.communicate(timeout=20)

    assert status.returncode == 0, status.stderr
    assert "flaky" in status.stdout
    assert "went out" in table
    assert demo.returncode == 0
    assert started
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


@pytest.mark.timeout(60)
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """SIGINT in the middle of the traffic: exit code 130, within seconds, without a process left."""
    with running_demo("--once", "--sandbox", "--dir", str(tmp_path)) as demo:
        read_until(demo, "seven layers")
        started = children_of(demo.pid)
        demo.send_signal(signal.SIGINT)
        code = demo.wait(timeout=20)

    assert code == 130
    assert started
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """A folder that holds anything is not written to: the figures would not be the demo's own."""
    (tmp_path / "notes.txt").touch()

    done = subprocess.run(
        [*DEMO, "--once", "--sandbox", "--dir", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
