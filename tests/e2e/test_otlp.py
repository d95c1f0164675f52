"""A real server, a real provider on loopback, and a receiver that decodes what OTLP brings."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.telemetry.conftest import Receiver, plain

from switchgear.config import Config, load_text
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter
from switchgear.server import Server
from switchgear.tracing import run_trace

pytestmark = pytest.mark.e2e

TOML = """
[server]
port = 0
[ledger]
url = "sqlite:///{file}"
[services.llm]
kind = "openai"
provider = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
retry = {{ attempts = 2, backoff = "10ms" }}
[[budgets]]
name = "poor"
match = {{ layer = "poor" }}
limit_usd = "0.000001"
"""
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def config(tmp_path: Path, sandbox: Sandbox) -> Config:
    """One service, tried twice."""
    return load_text(TOML.format(file=tmp_path / "l.db", url=sandbox.url), environ={})


def ask(server: Server, **headers: str) -> int:
    """Send a chat request through the gateway; return the status of the answer."""
    body = json.dumps({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "hi"}]}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(f"{server.url}/llm/v1/chat/completions", body, {"content-type": "application/json", **named})
    try:
        with urlopen(request, timeout=20) as answer:
            answer.read()
            return int(answer.status)
    except OSError as error:
        return int(getattr(error, "code", 0))


def get(server: Server, path: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON at *path*."""
    with urlopen(f"{server.url}{path}", timeout=20) as answer:
        return json.load(answer)


def until(done: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_the_tree_of_a_run_arrives_as_the_ledger_has_it(
    config: Config, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run, layers, calls, attempts: true parents, and the ledger's tokens and cost, a retry and a refusal included."""
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "pipeline")
        with Server(config) as server:
            assert ask(server, x_switchgear_run="r1", x_switchgear_layer="analysis", x_switchgear_job="j") == 200
            sandbox.fault("status=503", times=1)
            assert ask(server, x_switchgear_run="r1", x_switchgear_layer="research") == 200
            assert ask(server, x_switchgear_run="r1", x_switchgear_layer="poor") == 402
            assert ask(server, traceparent=f"00-{TRACE}-{SPAN}-01", x_switchgear_run="r1") == 200
            rows = server.governor.ledger.reader.calls(CallFilter(), limit=100).items
    by_id = {span.span_id.hex(): span for span in receiver.spans}
    words = {span_id: plain(span.attributes) for span_id, span in by_id.items()}
    run = [span for span in by_id.values() if span.trace_id.hex() == run_trace("r1")]
    names = {span.name for span in run}

    assert len(by_id) == len(receiver.spans), "no span came twice"
    assert {"r1", "analysis", "research", "poor", "chat m", "llm /v1/chat/completions"} == names
    for span in run:
        if span.name == "r1":
            assert span.parent_span_id == b""
        elif span.name in {"analysis", "research", "poor"}:
            assert by_id[span.parent_span_id.hex()].name == "r1"
        elif span.name == "chat m":
            assert by_id[span.parent_span_id.hex()].name == "llm /v1/chat/completions"
        else:
            assert by_id[span.parent_span_id.hex()].name in {"analysis", "research", "poor"}
    foreign = [span for span in by_id.values() if span.trace_id.hex() == TRACE]
    assert sorted(span.name for span in foreign) == ["chat m", "llm /v1/chat/completions"]
    assert [span.parent_span_id.hex() for span in foreign if span.name != "chat m"] == [SPAN]

    attempts = [said for said in words.values() if "switchgear.attempt" in said]
    sent = [row for row in rows if row.status != "refused"]
    assert len(attempts) == len(sent)
    for name, column in (("input", "input_tokens"), ("output", "output_tokens")):
        told = sum(int(str(said[f"gen_ai.usage.{name}_tokens"])) for said in attempts)
        assert told == sum(getattr(row, column) for row in sent) > 0
    assert sum(int(str(said["switchgear.cost_nano_usd"])) for said in attempts) == sum(row.cost or 0 for row in sent)
    (top,) = [said for span_id, said in words.items() if by_id[span_id].name == "r1"]
    of_run = sum(row.cost or 0 for row in sent if row.trace_id == run_trace("r1"))
    assert Decimal(str(top["switchgear.run.cost_usd"])) == Decimal(of_run).scaleb(-9)
    (denied,) = [said for said in words.values() if "switchgear.refused_by" in said]
    assert (denied["switchgear.refused_by"], denied["switchgear.rule"]) == ("budget", "poor")
    assert {said["service.name"] for said in receiver.resources} == {"pipeline"}

    measured: dict[str, dict[str, float]] = {"input": {}, "output": {}, "gen_ai.client.operation.duration": {}}
    for metric in receiver.metrics:
        for point in metric.histogram.data_points:
            said = plain(point.attributes)
            kind = str(said.get("gen_ai.token.type", metric.name))
            measured[kind][repr(said)] = point.sum if kind in {"input", "output"} else point.count
    totals = {kind: sum(series.values()) for kind, series in measured.items()}
    assert totals["input"] == sum(row.input_tokens for row in sent)
    assert totals["output"] == sum(row.output_tokens for row in sent)
    assert totals["gen_ai.client.operation.duration"] == len(sent)


def test_langsmith_gets_its_own_headers_and_nobody_elses(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector's secret does not go to LangSmith, nor LangSmith's key to the collector."""
    with Receiver() as collector, Receiver() as langsmith:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20c2VjcmV0")
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_key")
        monkeypatch.setenv("LANGSMITH_PROJECT", "mine")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", langsmith.url)
        with Server(config) as server:
            assert ask(server) == 200
    (ours,) = langsmith.headers
    assert langsmith.paths == ["/otel/v1/traces"]
    assert (ours["x-api-key"], ours["langsmith-project"]) == ("lsv2_key", "mine")
    assert "authorization" not in ours
    (theirs,) = collector.headers
    assert theirs["authorization"] == "Basic c2VjcmV0"
    assert "x-api-key" not in theirs
    kinds = {plain(span.attributes)["langsmith.span.kind"] for span in langsmith.spans}
    assert kinds == {"llm", "chain"}
    assert not any("langsmith.span.kind" in plain(span.attributes) for span in collector.spans)


def test_an_endpoint_that_is_down_is_seen_and_harms_nothing(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on; the snapshot, Prometheus, health and the doctor's page say what does not get through."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with Server(config) as server:
        assert ask(server) == 200
        until(lambda: get(server, "/api/metrics")["exports"]["destinations"][0]["problem"] is not None)
        health = get(server, "/api/health?strict=0")
        page = urlopen(f"{server.url}/metrics", timeout=20).read().decode()
        doctor = urlopen(f"{server.url}/-/doctor", timeout=20).read().decode()
    assert health["status"] == "healthy"
    assert "Traces do not reach http://127.0.0.1:9/v1/traces" in json.dumps(health)
    assert 'switchgear_export_waiting{destination="otlp",signal="traces"}' in page
    assert "traces to http://127.0.0.1:9/v1/traces" in doctor


def test_a_server_writes_its_log_as_json(tmp_path: Path, sandbox: Sandbox) -> None:
    """`switchgear serve` off a terminal: a line of JSON a change of state, no key and no prompt in it."""
    file = tmp_path / "switchgear.toml"
    file.write_text(TOML.format(file=tmp_path / "l.db", url=sandbox.url), encoding="utf-8")
    command = [sys.executable, "-m", "switchgear", "serve", "--config", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        body = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "planted prompt"}]}
        headers = {"authorization": "Bearer sk-planted-0123456789", "x-switchgear-layer": "poor"}
        request = Request(f"{url}/llm/v1/chat/completions", json.dumps(body).encode(), headers)
        with pytest.raises(OSError, match="402"):
            urlopen(request, timeout=20)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    (refused,) = [line for line in lines if line["event"] == "call_refused"]
    assert (refused["rule"], refused["layer"], refused["level"]) == ("poor", "poor", "warning")
    assert "planted" not in errors
