"""A ledger that can't be written while calls come in: what was answered is on record afterwards, once."""

from __future__ import annotations

import errno
import os
import re
import resource
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx2
import pytest

from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger
from switchgear.ledger.access import looking
from switchgear.ledger.verify import verify
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.testing import ManualClock

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
CONFIG = """
[server]
port = 0

[ledger]
url = "sqlite:///{folder}/ledger.db"
on_error = "{on_error}"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.claude]
kind = "anthropic"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.web]
kind = "http"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
"""


class Gateway:
    """A real ``switchgear serve``, and what its clients saw."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        command = [sys.executable, "-m", "switchgear", "serve", "--config", str(config)]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[1]
        self.seen: Counter[int] = Counter()

    def ask(self, fault: str = "", path: str = "/llm/v1/chat/completions") -> httpx2.Response:
        """Send a call and count its answer."""
        answer = httpx2.post(self.url + path, json=CHAT, headers={"x-sandbox-fault": fault}, timeout=30)
        self.seen[answer.status_code] += 1
        return answer

    def health(self) -> tuple[int, str, str]:
        """Return the status of ``/api/health``, the word in it, and its reasons."""
        answer = httpx2.get(f"{self.url}/api/health", timeout=30)
        return answer.status_code, answer.json()["status"], " ".join(answer.json()["reasons"])

    def wait_until_well(self) -> None:
        """Wait until the server has found out by itself, without a call, that it can write again."""
        for _ in range(200):
            if httpx2.get(f"{self.url}/readyz", timeout=30).status_code == 200 and self.health()[1] == "healthy":
                return
            time.sleep(0.05)
        raise AssertionError(self.health())

    def stop(self) -> str:
        """End the server and return what it has logged."""
        self.process.terminate()
        self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self._log.read_text(encoding="utf-8")


Start = Callable[..., Gateway]


@pytest.fixture
def start(sandbox: Sandbox, tmp_path: Path) -> Iterator[Start]:
    """Return a function that runs a server with its ledger in a folder."""
    running: list[Gateway] = []

    def run(folder: Path, on_error: str = "refuse") -> Gateway:
        config = tmp_path / "switchgear.toml"
        config.write_text(CONFIG.format(folder=folder, url=sandbox.url, on_error=on_error), encoding="utf-8")
        running.append(Gateway(config, tmp_path / f"log-{len(running)}"))
        return running[-1]

    yield run
    for one in running:
        one.process.kill()
        one.stop()


class Disk:
    """A place that can be filled to its last byte and emptied again.

    A small tmpfs where this process may mount one; elsewhere the kernel's limit on the size of a
    file, set for the running server alone: there, too, not one page more can be written.
    """

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.mounted = mounted
        self._ballast = folder / "ballast"

    def fill(self, process: int) -> None:
        """Leave no room."""
        if not self.mounted:
            largest = max(file.stat().st_size for file in self.folder.iterdir())
            resource.prlimit(process, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
            return
        with self._ballast.open("wb", buffering=0) as file:
            for size in (4096, 1):
                with suppress(OSError):
                    while file.write(b"x" * size):
                        pass
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            (self.folder / "more").write_bytes(b"x" * 4096)
        (self.folder / "more").unlink()

    def empty(self, process: int) -> None:
        """Give the room back."""
        if self.mounted:
            self._ballast.unlink()
        else:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture(params=["tmpfs", "quota"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A small disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    wanted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    mounted = request.param == "tmpfs" and subprocess.run(wanted, check=False, capture_output=True).returncode == 0
    try:
        yield Disk(folder, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def rows_in(folder: Path) -> tuple[CallRow, ...]:
    """Return every attempt on record, after checking every sum."""
    url = f"sqlite:///{folder}/ledger.db"
    with looking(url) as engine:
        assert verify(engine).sound
    with Ledger.open(url, clock=ManualClock(), writable=False) as ledger:
        return ledger.reader.calls(CallFilter(), limit=500).items


def outages_in(folder: Path) -> list[dict[str, object]]:
    """Return what the audit trail has of outages."""
    with Ledger.open(f"sqlite:///{folder}/ledger.db", clock=ManualClock(), writable=False) as ledger:
        return [event.what for event in ledger.reader.events(kind="ledger_recovered")]


def serve(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Return what comes of a server that can't start."""
    command = [*before, sys.executable, "-m", "switchgear", "serve", "--config", str(folder / "switchgear.toml")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


FULL = r"the disk is full; free some space|the disk does not answer properly; see its space, quotas and errors"


def test_a_full_disk_lets_nothing_out_and_loses_nothing(start: Start, disk: Disk, sandbox: Sandbox) -> None:
    """While it is full calls are refused with the cause; calls in flight are settled when there is room; no restart."""
    gateway = start(disk.folder)
    for _ in range(5):
        assert gateway.ask().status_code == 200
    with ThreadPoolExecutor(10) as pool:
        flying = [pool.submit(gateway.ask, "latency=1s") for _ in range(10)]
        sandbox.wait_until(lambda stats: stats.received == 15)
        disk.fill(gateway.process.pid)
        assert [one.result().status_code for one in flying] == [200] * 10

    refused = [gateway.ask() for _ in range(3)]
    assert {answer.status_code for answer in refused} == {503}
    error = refused[0].json()["error"]
    assert (error["type"], error["code"]) == ("server_error", "ledger_unavailable")
    assert re.search(FULL, error["message"])
    claude = gateway.ask(path="/claude/v1/messages")
    assert (claude.status_code, claude.json()["error"]["type"]) == (503, "api_error")
    web = gateway.ask(path="/web/x")
    assert (web.status_code, web.headers["content-type"]) == (503, "application/problem+json")
    status, word, reasons = gateway.health()
    assert (status, word) == (503, "unhealthy")
    assert re.search(FULL, reasons)
    assert "no call goes until it can be written again" in reasons
    assert httpx2.get(f"{gateway.url}/readyz").status_code == 503

    disk.empty(gateway.process.pid)
    gateway.wait_until_well()
    assert gateway.ask().status_code == 200
    log = gateway.stop()

    rows = rows_in(disk.folder)
    assert Counter(row.status for row in rows) == {"ok": 16}
    assert len(rows) == gateway.seen[200] == sandbox.stats().received
    assert sum(row.output_tokens for row in rows) == sandbox.stats().output_tokens
    assert len(outages_in(disk.folder)) == 1
    assert "Traceback" not in log


def test_a_policy_lets_calls_go_and_records_them_later(start: Start, disk: Disk, sandbox: Sandbox) -> None:
    """With on_error = "allow" a full disk stops no call; health counts what is not on record, and then all is."""
    gateway = start(disk.folder, "allow")
    assert gateway.ask().status_code == 200
    disk.fill(gateway.process.pid)
    for _ in range(40):
        assert gateway.ask().status_code == 200

    status, word, reasons = gateway.health()
    assert (status, word) == (200, "degraded")
    assert re.search(FULL, reasons)
    found = re.search(r"calls go on unrecorded \(on_error = \"allow\"\): (\d+) \(\$(\S+) spent", reasons)
    assert found is not None
    assert int(found[1]) > 30
    assert float(found[2]) > 0
    assert httpx2.get(f"{gateway.url}/readyz").status_code == 200

    disk.empty(gateway.process.pid)
    gateway.wait_until_well()
    log = gateway.stop()

    rows = rows_in(disk.folder)
    assert Counter(row.status for row in rows) == {"ok": 41}
    assert len(rows) == sandbox.stats().received
    [outage] = outages_in(disk.folder)
    assert outage["calls"] == int(found[1])
    assert outage["dropped"] == 0
    assert "Traceback" not in log


def test_a_locked_ledger_is_waited_for(start: Start, tmp_path: Path, sandbox: Sandbox) -> None:
    """A foreign process that keeps the file locked stops calls, and no longer than it keeps it."""
    gateway = start(tmp_path)
    assert gateway.ask().status_code == 200
    holder = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read(); db.execute('ROLLBACK')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "ledger.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        answer = gateway.ask()
        assert answer.status_code == 503
        assert "another process keeps it locked; wait for it, or end it" in answer.json()["error"]["message"]
        begin = time.monotonic()
        assert gateway.ask().status_code == 503
        assert time.monotonic() - begin < 2
        assert "another process keeps it locked" in gateway.health()[2]
        other.stdin.close()
    gateway.wait_until_well()
    assert gateway.ask().status_code == 200
    log = gateway.stop()

    assert Counter(row.status for row in rows_in(tmp_path)) == {"ok": 2}
    assert sandbox.stats().received == 2
    assert "Traceback" not in log


def test_a_file_that_is_moved_away_stops_calls(start: Start, tmp_path: Path, sandbox: Sandbox) -> None:
    """A ledger that was moved away, or deleted, is not written where nobody finds it; back in its place it is."""
    gateway = start(tmp_path)
    assert gateway.ask().status_code == 200
    (tmp_path / "ledger.db").rename(tmp_path / "elsewhere.db")
    answer = gateway.ask()
    assert answer.status_code == 503
    assert "was moved away; put it back in its place" in answer.json()["error"]["message"]
    assert "was moved away" in gateway.health()[2]
    (tmp_path / "elsewhere.db").rename(tmp_path / "ledger.db")
    gateway.wait_until_well()
    assert gateway.ask().status_code == 200
    log = gateway.stop()

    assert Counter(row.status for row in rows_in(tmp_path)) == {"ok": 2}
    assert sandbox.stats().received == 2
    assert "Traceback" not in log


def test_a_damaged_file_is_not_written_any_more(start: Start, tmp_path: Path, sandbox: Sandbox) -> None:
    """Garbage in the file stops calls for good; whoever asks, and the next start, is told how to restore a backup."""
    gateway = start(tmp_path)
    for _ in range(20):
        assert gateway.ask().status_code == 200
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "ledger.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    damage = "the file is damaged (database disk image is malformed); stop Switchgear and put a backup in its place"
    httpx2.get(f"{gateway.url}/api/calls")
    answers = [gateway.ask() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert damage in answers[-1].json()["error"]["message"]
    status, word, reasons = gateway.health()
    assert (status, word) == (503, "unhealthy")
    assert damage in reasons
    assert "Traceback" not in gateway.stop()
    assert sandbox.stats().received == 20

    again = serve(tmp_path)
    assert (again.returncode, again.stdout) == (4, "")
    assert damage in again.stderr
    assert "switchgear ledger restore" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_read_only_file_is_told_at_the_start(start: Start, tmp_path: Path) -> None:
    """A server that may not write to its ledger does not start, and says why."""
    start(tmp_path).stop()
    (tmp_path / "ledger.db").chmod(0o444)
    # Root may write to everything, unless that capability is taken away.
    obey = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
    again = serve(tmp_path, *obey)

    assert (again.returncode, again.stdout) == (4, "")
    assert "the file is read-only; make it writable again" in again.stderr
    assert "Traceback" not in again.stderr
