"""Read commands against a running server: what it says is what they show."""

from __future__ import annotations

import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from switchgear.config import load
from switchgear.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def server(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server over the filled ledger, in force for every command."""
    with Server(load(filled / "switchgear.toml", environ={}), port=0) as running:
        monkeypatch.setenv("SWITCHGEAR_URL", running.url)
        yield running.url


@pytest.fixture
def impostor() -> Iterator[str]:
    """Another program at the address where a server is looked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<h1>It works!</h1>"
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def api(url: str, path: str) -> dict[str, Any]:
    """Return what the API answers."""
    with urllib.request.urlopen(url + path) as response:
        found: dict[str, Any] = json.load(response)
    return found


def test_every_list_says_what_the_api_says(server: str, run: Run) -> None:
    """`--json` of services, budgets and calls is the API's own shape, field for field."""
    assert json.loads(run("calls", "list", "--json").out) == api(server, "/api/calls")
    assert json.loads(run("budgets", "list", "--json").out) == api(server, "/api/budgets")
    services = json.loads(run("services", "list", "--json").out)
    assert services == api(server, "/api/services")
    assert json.loads(run("services", "show", "geocoder", "--json").out) == services["items"][1]


def test_a_call_is_the_api_s_call(server: str, run: Run) -> None:
    """`calls show --json` is the body of `/api/calls/ID`."""
    call = api(server, "/api/calls")["items"][0]["call_id"]

    assert json.loads(run("calls", "show", call, "--json").out) == api(server, f"/api/calls/{call}")


def test_status_as_json_is_the_health_and_more(server: str, run: Run) -> None:
    """`status --json` has every member of `/api/health`, and the live numbers."""
    shown = json.loads(run("status", "--json").out)

    assert shown.keys() > api(server, "/api/health?strict=0").keys()
    assert {"budgets", "breakers", "limits", "today", "hour"} <= shown.keys()
    assert [budget["name"] for budget in shown["budgets"]] == ["all", "tiny"]


def test_status_is_one_screen(server: str, run: Run) -> None:
    """The status leads with its word and the reason, and says where to look next."""
    result = run("status")

    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0].split()[0] == json.loads(run("status", "--json").out)["status"].upper()
    assert lines[2].startswith("SERVICE ")
    assert any(line.startswith("BUDGET ") for line in lines)
    assert "\x1b" not in result.out


def test_check_fails_unless_healthy(server: str, run: Run) -> None:
    """`status --check` exits with 3 when the status is not healthy, and says the same as without."""
    is_healthy = json.loads(run("status", "--json").out)["status"] == "healthy"

    assert run("status", "--check").code == (0 if is_healthy else 3)


def test_the_doctor_knows_its_own_server(server: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that our own server has is no fault, and the doctor does not disturb it."""
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", server.rpartition(":")[2])

    result = run("doctor")

    assert f"answers at {server}" in result.out
    assert result.code == 0
    assert api(server, "/healthz") == {"status": "alive"}


def test_the_doctor_sees_who_has_the_port(impostor: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody else has is a fault, with the command that shows who."""
    port = impostor.rpartition(":")[2]
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", port)

    result = run("doctor")

    assert result.code == 3
    assert f"fail  port        can't listen on 127.0.0.1 port {port}" in result.out
    assert f"-> ss -ltnp 'sport = :{port}'" in result.out


def test_serve_says_whose_the_port_is(impostor: str, run: Run) -> None:
    """`serve` on a port in use is one line with exit code 2, and no ledger is made."""
    result = run("serve", "--port", impostor.rpartition(":")[2])

    assert (result.code, result.out) == (2, "")
    assert "is in use" in result.err


@pytest.mark.parametrize("command", [["status"], ["services", "list"], ["budgets", "list"]])
def test_another_program_is_not_taken_for_a_server(command: list[str], impostor: str, run: Run) -> None:
    """What answers without speaking our API is told as such, with exit code 4."""
    result = run(*command, "--url", impostor)

    assert (result.code, result.out) == (4, "")
    assert f"what answers at {impostor} is not a Switchgear" in result.err


def test_a_server_without_the_api_is_told(server: str, run: Run) -> None:
    """An error of the server is not taken for figures."""
    result = run("status", "--url", f"{server}/openai")

    assert result.code == 4
    assert "is it a Switchgear?" in result.err
