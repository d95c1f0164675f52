"""Secrets are planted wherever one can be, all of it is provoked to tell them, and what is told is searched."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SECRETS: Final = {
    "provider key from the environment": "sk-PLANTED-environment-1a",
    "provider key from a file": "sk-PLANTED-file-2b",
    "provider key in a base URL": "PLANTED-url-3c",
    "caller's own provider key": "sk-PLANTED-caller-4d",
    "key in a query": "PLANTED-query-5e",
    "password of a user": "PLANTED-password-6f",
    "wrong password": "PLANTED-wrong-7a",
    "address of a webhook": "PLANTED-webhook-8b",
    "secret that signs a webhook": "PLANTED-signature-9c",
    "cookie of a caller": "PLANTED-cookie-1d",
    "prompt": "PLANTED-prompt-2e",
    "completion": "PLANTED-completion-3f",
    "configuration with a mistake": "PLANTED-mistake-4a",
}
OWN: Final = SECRETS["caller's own provider key"]
TRACE: Final = f"00-{'a' * 32}-{'b' * 16}-01"
CHAT_PATH: Final = "/v1/chat/completions"
CHAT: Final = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": SECRETS["prompt"]}]}
CONFIG: Final = """
[server]
port = 0
users_file = "{folder}/users"
[ledger]
url = "sqlite:///{folder}/ledger.db"
[services.env]
kind = "openai"
base_url = "{url}"
api_key_env = "PROVIDER_KEY"
breaker = {{ failure_threshold = 5, minimum_calls = 1000 }}
unpriced = "allow"
[services.file]
kind = "anthropic"
base_url = "{url}"
api_key_file = "{folder}/key"
unpriced = "allow"
[services.own]
kind = "openai"
base_url = "{url}"
unpriced = "allow"
[services.url]
kind = "http"
base_url = "{url_with_key}"
[[budgets]]
name = "all"
limit_usd = "1"
[alerts]
interval = "1s"
[[alerts.channels]]
name = "hook"
url_env = "WEBHOOK"
secret_env = "WEBHOOK_SECRET"
"""
PAGES: Final = """
/ /calls /services /services/env /services/file /services/url /budgets /budgets/all /usage /alerts /runs /applications
/-/ /-/doctor /-/config /-/prices /-/versions /-/audit /-/patterns /-/keys /metrics /healthz /readyz /openapi.json
/api/health /api/metrics /api/calls /api/budgets /api/breakers /api/limits /api/services /api/usage /api/costs
/api/forecast /api/events /api/events.csv /api/keys /api/alerts /api/config /calls.csv /services.json /nothing
/partials/metrics-dashboard /partials/service-health /partials/budget-monitor /partials/alerts /-/sign-in
"""
COMMANDS: Final = """
calls list --json
calls list
config show
config show --json
doctor
doctor --json
keys list --json
status --json
services list --json
budgets list --json
users list
ledger events --json
ledger verify
ledger export --out {folder}/export.jsonl
ledger backup {folder}/backup.db
"""


class _Indiscreet(http.server.BaseHTTPRequestHandler):
    """A provider that repeats what it was sent in error texts and headers, or breaks off; and a webhook that fails."""

    protocol_version = "HTTP/1.1"
    seen: Final[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        self.seen.append(f"{self.path}\n{self.headers}\n{body}")
        fault = self.headers.get("x-fault", "")
        if fault == "reset":
            self.close_connection = True
            return
        keys = [self.headers.get("authorization"), self.headers.get("x-api-key")]
        told = f"your key {keys} is not good for {self.path}"
        status = int(fault) if fault else 200
        answer: dict[str, object] = {"error": {"message": told, "type": "x", "code": told}}
        if status == 200:
            message = {"role": "assistant", "content": SECRETS["completion"]}
            answer = {"choices": [{"message": message}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        data = json.dumps(answer).encode()
        self.send_response(500 if "PLANTED-webhook" in self.path else status)
        self.send_header("content-type", "application/json")
        self.send_header("x-told", told)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The host and port of the provider."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Indiscreet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def told(provider: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Everything that Switchgear has told or kept by the end of a busy life, by where."""
    folder = tmp_path_factory.mktemp("secrets")
    scene = Scene(folder, provider)
    scene.live()
    return scene.told


class Scene:
    """One server's life, and what it tells."""

    def __init__(self, folder: Path, provider: str) -> None:
        self.folder = folder
        self.told: dict[str, str] = {}
        self.config = folder / "switchgear.toml"
        self.environ = {
            **os.environ,
            "PROVIDER_KEY": SECRETS["provider key from the environment"],
            "WEBHOOK": f"http://{provider}/{SECRETS['address of a webhook']}",
            "WEBHOOK_SECRET": SECRETS["secret that signs a webhook"],
            "SWITCHGEAR_USER": "ada",
            "SWITCHGEAR_PASSWORD": SECRETS["password of a user"],
        }
        (folder / "key").write_text(SECRETS["provider key from a file"], encoding="utf-8")
        self.text = CONFIG.format(
            folder=folder,
            url=f"http://{provider}",
            url_with_key=f"http://user:{SECRETS['provider key in a base URL']}@{provider}",
        )
        self.config.write_text(self.text, encoding="utf-8")
        self.url = ""

    def live(self) -> None:
        """Start, be busy, be asked everything, be killed, be searched."""
        assert self.command("users add ada", typed=SECRETS["password of a user"] + "\n") == 0, self.told
        with (self.folder / "log").open("w", encoding="utf-8") as log:
            options = ["-X", "faulthandler", "-m", "switchgear", "serve", "--config", str(self.config)]
            process = subprocess.Popen(
                [sys.executable, *options], stdout=subprocess.PIPE, stderr=log, text=True, env=self.environ
            )
            assert process.stdout is not None
            try:
                self.url = process.stdout.readline().split()[1]
                self.environ["SWITCHGEAR_URL"] = self.url
                assert self.command("keys create ci --service env --service file", keep=False) == 0
                self.be_busy()
                self.be_asked()
            finally:
                # Killed, with a dump of every thread's stack in its log.
                process.send_signal(signal.SIGABRT)
                process.wait(20)
                process.stdout.close()
        self.told["log"] = (self.folder / "log").read_text(encoding="utf-8")
        assert "Current thread" in self.told["log"]
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name not in {"switchgear.toml", "key", "log"}:
                self.told[f"file {file.name}"] = file.read_bytes().decode("latin-1")

    def command(self, text: str, *, typed: str = "", keep: bool = True) -> int:
        """Run a command; what it says is told."""
        parts = [part.format(folder=self.folder) for part in text.split()]
        command = [sys.executable, "-m", "switchgear", *parts, "--config", str(self.config)]
        done = subprocess.run(command, input=typed, capture_output=True, text=True, env=self.environ, check=False)
        if keep:
            self.told[f"switchgear {text}"] = done.stdout + done.stderr
        else:
            SECRETS["Switchgear key"] = done.stdout.strip()
        return done.returncode

    def be_busy(self) -> None:
        """Let calls go well and badly in every way there is."""
        key = SECRETS["Switchgear key"]
        assert key.startswith("sgk_")
        own = {"authorization": f"Bearer {OWN}", "cookie": f"a={SECRETS['cookie of a caller']}"}
        ways: tuple[tuple[str, str, dict[str, str]], ...] = (
            ("env", CHAT_PATH, {"authorization": f"Bearer {key}"}),
            ("file", "/v1/messages", {"x-api-key": key}),
            ("own", CHAT_PATH, own),
            ("url", "/x", {}),
        )
        for more in ({}, {"x-fault": "401"}, {"x-fault": "500"}, {"x-fault": "reset"}, {"traceparent": TRACE}):
            for service, path, who in ways:
                with contextlib.suppress(httpx2.TransportError):
                    url = f"{self.url}/{service}{path}?key={SECRETS['key in a query']}"
                    httpx2.post(url, json=CHAT, headers={**who, **more})
        for bad in (key[:-1] + ("a" if key[-1] != "a" else "b"), "sgk_" + "x" * 40):
            httpx2.post(f"{self.url}/env{CHAT_PATH}", json=CHAT, headers={"authorization": f"Bearer {bad}"})
        httpx2.post(f"{self.url}/nowhere/x", json=CHAT, headers=own)
        httpx2.post(f"{self.url}/env{CHAT_PATH}", content=b"{" + SECRETS["prompt"].encode(), headers=own)

    def be_asked(self) -> None:
        """Ask for every page, run every command, make mistakes."""
        wrong, right = self.signed("wrong password"), self.signed("password of a user")
        mistake = SECRETS["configuration with a mistake"]
        self.config.write_text(f'{self.text}\n[services.x]\napi_key_env = "{mistake}"\n', encoding="utf-8")
        reload = httpx2.post(f"{self.url}/api/config/reload", headers={**right, "x-switchgear-admin": "1"})
        assert reload.status_code == 400
        self.told["a bad reload"] = reload.text
        assert self.command("config check") == 2
        self.config.write_text(self.text, encoding="utf-8")
        form = {"name": "ada", "password": SECRETS["wrong password"], "next": ""}
        self.told["a bad sign-in"] = httpx2.post(f"{self.url}/-/sign-in", data=form).text
        self.told["a bad password"] = httpx2.get(f"{self.url}/api/calls", headers=wrong).text
        self.told["a test"] = httpx2.post(f"{self.url}/api/alerts/channels/hook/test", headers=right).text
        calls = httpx2.get(f"{self.url}/api/calls", headers=right).json()["items"]
        assert {row["status"] for row in calls} >= {"ok", "failed"}
        details = [f"{page}/{row['id']}" for row in calls[:8] for page in ("/calls", "/api/calls")]
        trace = TRACE.split("-")[1]
        for page in [*PAGES.split(), *details, f"/traces/{trace}", f"/traces/{trace}.json"]:
            answer = httpx2.get(f"{self.url}{page}", headers=right)
            assert (answer.status_code == 404) == (page == "/nothing"), page
            self.told[page] = answer.text
        for command in COMMANDS.strip().splitlines():
            self.command(command)

    def signed(self, password: str) -> dict[str, str]:
        """Return the headers of ada with *password*."""
        return {"authorization": "Basic " + base64.b64encode(f"ada:{SECRETS[password]}".encode()).decode()}


@pytest.mark.parametrize("what", [*SECRETS, "Switchgear key"])
def test_a_planted_secret_is_nowhere(told: dict[str, str], what: str) -> None:
    """Not in log, dump, page, API, metrics, message, a command's output, the database, a backup or an export."""
    secret = SECRETS[what]
    forms = {secret, base64.b64encode(secret.encode()).decode(), secret.removeprefix("sk-")}
    if what == "Switchgear key":
        forms = {secret, secret[12:]}  # its first characters are its name
    found = [where for where, text in told.items() if any(form in text for form in forms)]

    assert found == []


def test_what_is_searched_has_something_in_it(told: dict[str, str]) -> None:
    """Every place told something, and the secrets were in play: the provider and the webhook have seen theirs."""
    quiet = {where for where, text in told.items() if not text}
    assert {where for where in quiet if not where.endswith((".lock", "-shm", "-wal"))} == set()
    everything = "\n".join(_Indiscreet.seen)
    arrived = {what for what, secret in SECRETS.items() if secret in everything}
    assert arrived >= {what for what in SECRETS if re.search("key from|own|query|address|prompt|cookie", what)}
    assert SECRETS["Switchgear key"] not in everything
