"""``switchgear serve`` as a process under load: read the configuration again, end, be interrupted; nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
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
shutdown_timeout = "{patience}"

[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = {limit} }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "1"
"""


class Served:
    """One ``switchgear serve`` after the other, on one ledger."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.config = folder / "switchgear.toml"
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.statuses: list[int | str] = []

    def write(self, *, limit: int = 100_000, patience: str = "20s", more: str = "") -> None:
        text = CONFIG.format(folder=self.folder, url=self.sandbox.url, limit=limit, patience=patience)
        self.config.write_text(text + more, encoding="utf-8")

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "switchgear", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://127.0.0.1:"), line
        self.url = line.split()[1]
        return self.process

    def call(self, fault: str = "") -> None:
        """Make one call and note what came of it."""
        headers = {"x-sandbox-fault": fault} if fault else {}
        try:
            answer = httpx2.post(f"{self.url}/llm/v1/chat/completions", json=CHAT, headers=headers, timeout=30)
            self.statuses.append(answer.status_code)
        except httpx2.TransportError as error:
            self.statuses.append(type(error).__name__)

    def threads(self, work: Callable[[], None], count: int) -> list[threading.Thread]:
        found = [threading.Thread(target=work) for _ in range(count)]
        for thread in found:
            thread.start()
        return found

    def rows(self) -> tuple[CallRow, ...]:
        url = f"sqlite:///{self.folder}/ledger.db"
        with Ledger.open(url, clock=ManualClock(), writable=False) as ledger:
            return ledger.reader.calls(CallFilter(), limit=5000).items

    def ended(self) -> tuple[int, str]:
        """Return exit code and messages of the process."""
        assert self.process is not None
        _, messages = self.process.communicate(timeout=30)
        return self.process.returncode, messages


@pytest.fixture
def served(tmp_path: Path, sandbox: Sandbox) -> Iterator[Served]:
    """A server whose process does not outlive the test."""
    it = Served(tmp_path, sandbox)
    it.write()
    yield it
    if it.process is not None:
        it.process.kill()
        it.process.communicate()


def _status(rows: tuple[CallRow, ...]) -> dict[str, int]:
    return {status: sum(row.status == status for row in rows) for status in {row.status for row in rows}}


def test_sigterm_under_load_lets_calls_end_and_loses_none(served: Served, sandbox: Sandbox) -> None:
    """The provider's own count is the ledger's; nothing stays reserved, and the next start finds no orphan."""
    process = served.start()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            served.call("latency=50ms")

    threads = served.threads(load, 8)
    sandbox.wait_until(lambda stats: stats.served >= 60)
    process.send_signal(signal.SIGTERM)
    code, messages = served.ended()
    over.set()
    for thread in threads:
        thread.join()

    rows = served.rows()
    assert (code, messages) == (0, "")
    assert len(rows) == sandbox.stats().received
    assert _status(rows) == {"ok": len(rows)}
    assert served.statuses.count(200) == len(rows)
    served.start()
    assert _status(served.rows()) == {"ok": len(rows)}


def test_a_server_that_ends_says_not_ready_and_lets_a_slow_call_end(served: Served, sandbox: Sandbox) -> None:
    """A call in flight is answered after the signal; /readyz answers 503, and then nobody does."""
    process = served.start()
    slow = served.threads(lambda: served.call("latency=1s"), 1)[0]
    sandbox.wait_until(lambda stats: stats.received == 1)
    process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 5
    while True:
        try:
            ready = httpx2.get(f"{served.url}/readyz", timeout=5).status_code
        except httpx2.TransportError:
            break
        assert ready in {200, 503}
        assert time.monotonic() < end
    slow.join()

    assert served.statuses == [200]
    assert served.ended() == (0, "")


def test_what_does_not_end_in_time_is_cancelled_and_settled(served: Served, sandbox: Sandbox) -> None:
    """After server.shutdown_timeout a hanging call gets 503 and is recorded as cancelled; the exit is a clean one."""
    served.write(patience="300ms")
    process = served.start()
    threads = served.threads(lambda: served.call("hang"), 3)
    sandbox.wait_until(lambda stats: stats.received == 3)
    process.send_signal(signal.SIGTERM)
    code, messages = served.ended()
    for thread in threads:
        thread.join()

    assert (code, served.statuses) == (0, [503, 503, 503])
    (line,) = map(json.loads, messages.splitlines())
    assert line["event"] == "the server ends: 3 requests in flight are cancelled"
    assert _status(served.rows()) == {"cancelled": 3}


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_second_signal_ends_it_at_once_and_still_settles(
    number: signal.Signals, expected: int, served: Served, sandbox: Sandbox
) -> None:
    """Nobody waits for the rest of the time-out, and nothing is left reserved."""
    process = served.start()
    threads = served.threads(lambda: served.call("hang"), 3)
    sandbox.wait_until(lambda stats: stats.received == 3)
    began = time.monotonic()
    process.send_signal(number)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(number)
    code, _ = served.ended()
    for thread in threads:
        thread.join()

    assert code == expected
    assert time.monotonic() - began < 5
    assert _status(served.rows()) == {"cancelled": 3}


def test_sighup_under_load_changes_limits_and_no_call_notices(served: Served, sandbox: Sandbox) -> None:
    """Each of many reloads is in force while calls run; every call is answered, and the ledger has each once."""
    process = served.start()
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            served.call()

    threads = served.threads(load, 4)
    for at in range(5):
        served.write(limit=100_000 + at + 1)
        process.send_signal(signal.SIGHUP)
        _until(lambda at=at: _limit(served.url) == 100_001 + at)  # type: ignore[misc]  # a loop variable as a default
    over.set()
    for thread in threads:
        thread.join()

    assert set(served.statuses) == {200}
    assert len(served.rows()) == sandbox.stats().received == len(served.statuses)
    budget = httpx2.get(f"{served.url}/api/budgets").json()["items"][0]
    assert budget["reserved_usd"] in {"0", "0.00"}
    assert int(float(budget["spent_usd"]) * 1e9) == sum(row.cost or 0 for row in served.rows())


def test_a_wrong_file_changes_nothing_and_is_told_everywhere(served: Served) -> None:
    """The API answers 400 with each problem, health has the reason, the gate goes on; the right file ends it."""
    served.start()
    served.write(more="\n[services.llm2]\nlimts = 1\n")
    admin = {"x-switchgear-admin": "1"}

    answer = httpx2.post(f"{served.url}/api/config/reload", headers=admin)

    assert answer.status_code == 400
    assert [problem.split(": ", 1)[0] for problem in answer.json()["problems"]] == [f"{served.config}:20"]
    health = httpx2.get(f"{served.url}/api/health").json()
    assert health["status"] == "degraded"
    assert health["reasons"][0].startswith("The configuration on disk is not valid: ")
    served.call()
    assert served.statuses == [200]

    served.write(limit=7)
    answer = httpx2.post(f"{served.url}/api/config/reload", headers=admin)
    assert answer.json() == {"changes": [{"key": "services.llm.limits.requests_per_minute", "old": 100_000, "new": 7}]}
    assert httpx2.get(f"{served.url}/api/health").json()["reasons"] == []
    shown = {one["key"]: one for one in httpx2.get(f"{served.url}/api/config").json()["items"]}
    limit = shown["services.llm.limits.requests_per_minute"]
    assert (limit["value"], limit["source"], limit["where"]) == (7, "file", f"{served.config}:12")


def test_a_page_elsewhere_can_not_have_it_reloaded(served: Served) -> None:
    """Without the header that no other site's page can send, nothing is read."""
    served.start()
    for headers in ({}, {"content-type": "text/plain"}, {"x-switchgear-admin": "0"}):
        assert httpx2.post(f"{served.url}/api/config/reload", headers=headers).status_code == 403


def test_the_command_has_it_read_again(served: Served) -> None:
    """``switchgear config reload`` shows what has changed; a wrong file is exit code 2 with file and line."""
    served.start()
    served.write(limit=9)
    command = [sys.executable, "-m", "switchgear", "config", "reload", "--url", served.url]

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[1].split()) == (
        0,
        ["services.llm.limits.requests_per_minute", "100000", "9"],
    )
    served.write(more="\n[services.llm2]\nlimts = 1\n")
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert f"not valid: {served.config}:20: services.llm2" in wrong.stderr


def _limit(url: str) -> int:
    limit: int = httpx2.get(f"{url}/api/limits").json()["items"][0]["limit"]
    return limit


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
