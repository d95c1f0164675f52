"""``switchgear drill --against``: a gateway that runs, with a service to drill and a real one beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from switchgear.cli import main
from switchgear.config.load import load_sourced
from switchgear.drills.ground import free_port
from switchgear.drills.sandbox import Sandbox
from switchgear.server import Origin, Server

pytestmark = pytest.mark.e2e

CONFIG = """
[server]
port = 0

[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.drill]
kind = "openai"
base_url = "http://127.0.0.1:{port}"
limits = {{ requests_per_minute = 100000 }}
breaker = {{ failure_threshold = 3, recovery_timeout = "1s" }}
prices = {{ "drill" = {{ input = "0", output = "0" }} }}

[services.real]
kind = "openai"
base_url = "{real}"
api_key_env = "REAL_KEY"
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[services.leads_on]
kind = "openai"
base_url = "http://127.0.0.1:{port}"
fallback = ["real"]
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
"""


@pytest.fixture
def port() -> int:
    """The port where the service to drill has its upstream."""
    return free_port()


@pytest.fixture
def server(tmp_path: Path, sandbox: Sandbox, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A gateway; *sandbox* stands for the real provider."""
    monkeypatch.setenv("REAL_KEY", "sk-real")
    path = tmp_path / "switchgear.toml"
    path.write_text(CONFIG.format(folder=tmp_path, port=port, real=sandbox.url), encoding="utf-8")
    sourced = load_sourced(path, environ={})
    with Server(sourced.config, port=0, origin=Origin(sourced, lambda: sourced)) as running:
        yield running


Drill = Callable[..., tuple[int, str, str]]


@pytest.fixture
def drill(server: Server, capsys: pytest.CaptureFixture[str]) -> Drill:
    """Return a function that drills *server* and returns exit code, output and messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(("drill", "--against", server.url, *arguments))
        return code, *capsys.readouterr()

    return run


def test_a_running_gateway_is_drilled_and_nothing_real_is_touched(drill: Drill, sandbox: Sandbox, port: int) -> None:
    """What needs no server of its own passes; the real provider saw nothing, and the port is free again."""
    code, out, err = drill("--json")
    report = json.loads(out)

    assert code == 0, report
    assert [result["scenario"] for result in report["results"]] == ["outage", "accuracy", "streams"]
    assert "its calls bear the job switchgear-drill-" in err
    assert sandbox.stats().received == 0
    with Sandbox(port=port):
        pass


def test_other_traffic_on_the_service_meets_no_fault(port: int) -> None:
    """A fault without the drill's token is not honoured."""
    with Sandbox(port=port, token="secret") as upstream:
        asked = [{"x-sandbox-fault": "status=503"}, {"x-sandbox-fault": "status=503", "x-sandbox-token": "secret"}]
        statuses = [httpx2.get(f"{upstream.url}/x", headers=headers).status_code for headers in asked]

    assert statuses == [200, 503]


@pytest.mark.parametrize("service", ["real", "leads_on", "nowhere"])
def test_a_service_with_anything_real_behind_it_is_refused(drill: Drill, sandbox: Sandbox, service: str) -> None:
    """It is refused by what the gateway says of it, before one call is sent."""
    code, out, err = drill("--service", service)

    assert (code, out) == (2, "")
    assert "drilled" in err or "no service" in err
    assert sandbox.stats().received == 0


def test_a_service_whose_calls_arrive_elsewhere_is_refused(drill: Drill, port: int) -> None:
    """With somebody else on the port, nothing is done."""
    with Sandbox(port=port) as other:
        code, _, err = drill()
        assert (code, other.stats().received) == (2, 0)

    assert f"port {port}" in err


def test_the_time_is_limited(drill: Drill) -> None:
    """When it is over nothing more is sent, and what was not shown is not passed."""
    code, out, _ = drill("--for", "1", "--json", "outage", "accuracy")
    report = json.loads(out)

    assert code == 3
    assert report["results"][0]["reason"] == "TimeUpError: the 1 s that this drill was given are over"


def test_a_scenario_that_needs_servers_of_its_own_is_named(drill: Drill) -> None:
    """It can't be asked for against a gateway that runs."""
    code, _, err = drill("crash")

    assert code == 2
    assert "crash needs servers of its own" in err


def test_a_gateway_on_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Its loopback is not ours, so nothing is asked of it."""
    assert main(("drill", "--against", "http://gateway.example:8400")) == 2
    assert "only a gateway on this machine" in capsys.readouterr().err
