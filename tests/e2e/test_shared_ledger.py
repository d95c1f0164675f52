"""Two gateways with their own live numbers that write one ledger on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from switchgear.clock import SystemClock
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger
from switchgear.ledger.access import looking
from switchgear.ledger.verify import verify

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
CONFIG = """
[server]
port = 0

[ledger]
url = "{ledger}"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""

Start = Callable[[], tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def ledger(make_postgres: Callable[[], str]) -> str:
    """The URL of the ledger."""
    return make_postgres()


@pytest.fixture
def start(sandbox: Sandbox, ledger: str, tmp_path: Path) -> Iterator[Start]:
    """Return a function that runs ``switchgear serve`` and returns the process and its URL."""
    path = tmp_path / "switchgear.toml"
    path.write_text(CONFIG.format(ledger=ledger, url=sandbox.url), encoding="utf-8")
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


def _statuses(ledger: str) -> dict[str, int]:
    with Ledger.open(ledger, clock=SystemClock(), writable=False) as opened:
        found: dict[str, int] = {}
        for row in opened.reader.calls(limit=500).items:
            found[row.status] = found.get(row.status, 0) + 1
        return found


def _call(url: str, times: int) -> None:
    with httpx2.Client(base_url=url) as client:
        for _ in range(times):
            assert client.post("/llm/v1/chat/completions", json=CHAT).status_code == 200


def _hang(url: str) -> None:
    try:
        httpx2.post(f"{url}/llm/v1/chat/completions", json=CHAT, headers={"x-sandbox-fault": "hang"}, timeout=30)
    except httpx2.TransportError:
        return


def _together(work: Callable[..., None], urls: list[str], *arguments: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(url, *arguments)) for url in urls]
    for thread in threads:
        thread.start()
    return threads


def test_one_gateway_is_killed_and_the_other_settles_its_calls(start: Start, sandbox: Sandbox, ledger: str) -> None:
    """Calls of both are on record; what the killed one had on the wire is settled by the other, whose own stays."""
    (doomed, one), (survivor, other) = start(), start()
    for thread in _together(_call, [one, other, one, other], 10):
        thread.join()
    assert _statuses(ledger) == {"ok": 40}

    threads = _together(_hang, [one] * 3 + [other] * 2)
    sandbox.wait_until(lambda stats: stats.received == 45)
    assert _statuses(ledger) == {"ok": 40, "reserved": 5}
    doomed.kill()
    doomed.wait()
    deadline = time.monotonic() + 15
    while _statuses(ledger).get("reserved") != 2 and time.monotonic() < deadline:
        time.sleep(0.2)

    assert _statuses(ledger) == {"ok": 40, "reserved": 2, "orphaned": 3}
    with looking(ledger) as engine:
        found = verify(engine)
    assert (found.sound, found.attempts) == (True, 43)
    # Nothing that the other one does is in the way.
    _call(other, 1)
    survivor.kill()
    for thread in threads:
        thread.join()
