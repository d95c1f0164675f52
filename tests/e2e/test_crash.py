"""The server killed with SIGKILL in the middle of its work: nothing that was spent is forgotten."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.testing import ManualClock

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
CONFIG = """
[server]
port = 0

[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "1"
"""

Start = Callable[[], tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path) -> Iterator[Start]:
    """Return a function that runs ``switchgear serve`` and returns the process and its URL."""
    path = tmp_path / "switchgear.toml"
    path.write_text(CONFIG.format(folder=tmp_path, url=sandbox.url), encoding="utf-8")
    started: list[subprocess.Popen[str]] = []

    def run() -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "switchgear", "serve", "--config", str(path)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:")
        return process, line.split()[1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _rows(tmp_path: Path) -> tuple[CallRow, ...]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=ManualClock(), writable=False) as ledger:
        return ledger.reader.calls(CallFilter(), limit=500).items


def test_budget_10_every_call_the_upstream_saw_survives_a_kill(start: Start, sandbox: Sandbox, tmp_path: Path) -> None:
    """After SIGKILL with calls in flight and a restart, each is on record and the budget counts it."""
    process, url = start()
    with httpx2.Client(base_url=url) as client:
        for _ in range(5):
            assert client.post("/llm/v1/chat/completions", json=CHAT).status_code == 200

    def hang() -> None:
        try:
            httpx2.post(f"{url}/llm/v1/chat/completions", json=CHAT, headers={"x-sandbox-fault": "hang"}, timeout=30)
        except httpx2.TransportError:
            return

    threads = [threading.Thread(target=hang) for _ in range(20)]
    for thread in threads:
        thread.start()
    sandbox.wait_until(lambda stats: stats.received == 25)
    process.kill()
    process.wait()
    for thread in threads:
        thread.join()

    _, url = start()

    rows = _rows(tmp_path)
    assert len(rows) == sandbox.stats().received == 25
    orphans = [row for row in rows if row.status == "orphaned"]
    assert len(orphans) == 20
    assert all(row.cost == row.reserved and row.estimated for row in orphans)
    spent = sum(row.cost or 0 for row in rows)
    (budget,) = httpx2.get(f"{url}/api/budgets").json()["items"]
    assert budget["spent_usd"] == f"{spent / 1e9:.9f}".rstrip("0")
    assert budget["reserved_usd"] == "0"


def test_a_second_server_on_the_same_ledger_is_refused(start: Start, tmp_path: Path) -> None:
    """Two writers would take each other's calls for orphans, so the second says who is there and ends."""
    process, _ = start()
    second = subprocess.run(
        [sys.executable, "-m", "switchgear", "serve", "--config", str(tmp_path / "switchgear.toml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert second.returncode == 4
    assert str(process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert second.stdout == ""


def test_a_server_that_is_asked_to_stop_ends_well(start: Start) -> None:
    """SIGTERM ends the server with exit code 0."""
    process, _ = start()
    process.terminate()
    assert process.wait(timeout=10) == 0
