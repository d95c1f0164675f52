"""A real server, a real provider on loopback, and a receiver that decodes what OTLP brings."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from urllib.request import Request, urlopen

import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.telemetry.conftest import Receiver, plain

import switchgear as sg
from switchgear.config import Config, ServiceConfig, load_text
from switchgear.config.model import RetryConfig
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter
from switchgear.runner import Runner, layer, pipeline
from switchgear.server import Server
from switchgear.telemetry.export import export
from switchgear.tracing import attempt_span, run_trace

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


@pytest.mark.parametrize("content", [False, True])
def test_content_goes_along_only_when_it_is_asked_for(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, content: bool
) -> None:
    """Off, no word of prompt or answer leaves; on, both do, without the secret; the caller sees no difference."""
    text = TOML.format(file=tmp_path / "l.db", url=sandbox.url) + f"[telemetry]\ncontent = {str(content).lower()}\n"
    body = {
        "model": "m",
        "max_tokens": 8,
        "messages": [{"role": "user", "content": "planted word, sk-planted-0123456789"}],
    }
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
        with Server(load_text(text, environ={})) as server:
            answers = []
            for streamed in (False, True):
                sent = json.dumps(body | {"stream": streamed}).encode()
                request = Request(f"{server.url}/llm/v1/chat/completions", sent, {"content-type": "application/json"})
                with urlopen(request, timeout=20) as answer:
                    answers.append(answer.read())
    told = [plain(span.attributes) for span in receiver.spans if span.name == "chat m"]
    whole = json.loads(answers[0])["choices"][0]["message"]["content"]

    assert answers[1].endswith(b"data: [DONE]\n\n")
    assert len(told) == 2
    for said in told:
        assert ("gen_ai.input.messages" in said) == content
        if content:
            assert "planted word, ***" in str(said["gen_ai.input.messages"])
            assert json.loads(str(said["gen_ai.output.messages"]))[0]["parts"][0]["content"] == whole
    assert "sk-planted" not in repr(told)
    assert content or "planted" not in repr(told)


@layer()
def gather(number: int) -> int:
    """Make two calls."""
    for _ in range(2):
        with governors[-1].call("tool", units={"request": number}):
            pass
    return number


@layer()
def write(number: int) -> int:
    """Fail to make one."""
    msg = "the tool is broken"
    with governors[-1].call("tool"):
        if number:
            raise ConnectionResetError(msg)
    return number


@pipeline()
def letters(number: int) -> int:
    """Gather, then write."""
    return write(gather(number))


governors: list[sg.Governor] = []


def test_a_run_of_a_real_pipeline_arrives_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The runner's run is the trace, its layers are spans; an exception in a layer keeps its type."""
    ledger = f'[ledger]\nurl = "sqlite:///{tmp_path}/l.db"\n'
    text = ledger + '[services.tool]\nbase_url = "http://127.0.0.1:9"\nprices = { "*" = { request = "0.002" } }\n'
    with Receiver() as receiver, sg.Governor(load_text(text, environ={})) as governor:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
        governors.append(governor)
        exporting = export(governor)
        assert exporting is not None
        with exporting, Runner(governor, url=f"sqlite:///{tmp_path}/runs.db", pipelines=[letters]) as runner:
            run = runner.submit("letters", 1, job="j")
            view = runner.wait(run, timeout=20)
        rows = governor.ledger.reader.calls(CallFilter(run=run)).items
    assert (view.status, len(rows)) == ("failed", 3)
    told = [one.__dict__["switchgear"] for one in caplog.records if one.msg == "run_changed"]
    assert [(one["run"], one["status"]) for one in told][-1] == (run, "failed")
    assert "broken" not in repr(told)
    assert "ConnectionResetError" in str(view.error)
    by_id = {span.span_id.hex(): span for span in receiver.spans}
    trees = [
        (span.name, by_id[span.parent_span_id.hex()].name)
        for span in receiver.spans
        if span.trace_id.hex() == run_trace(run) and span.parent_span_id
    ]
    assert sorted(trees) == sorted(
        [
            ("gather", run),
            ("write", run),
            *([("tool call", "gather"), ("tool call", "tool call")] * 2),
            ("tool call", "write"),
            ("tool call", "tool call"),
        ]
    )
    failed = [plain(span.attributes).get("error.type") for span in receiver.spans if span.status.code == 2]
    assert "ConnectionResetError" in failed
    spent = sum(int(str(plain(span.attributes).get("switchgear.cost_nano_usd", 0))) for span in receiver.spans)
    assert spent == sum(row.cost or 0 for row in rows) == view.cost


CHAIN = """
[server]
port = 0
[ledger]
url = "sqlite:///{file}"
[services.llm]
kind = "openai"
base_url = "{url}/llm"
gateway = true
prices = {{ "m" = {{ input = "1", output = "2" }} }}
retry = {{ attempts = 2, backoff = "10ms" }}
"""


@pytest.mark.parametrize("data_path", ["hot", "plain"])
def test_a_gateway_behind_a_gateway_is_below_the_attempt_that_it_serves(
    tmp_path: Path, sandbox: Sandbox, config: Config, data_path: Literal["hot", "plain"]
) -> None:
    """The second attempt has another parent than the first; the run is the same trace in both ledgers."""
    with Server(config.model_copy(update={"services": no_retries(config)})) as behind:
        front = load_text(CHAIN.format(file=tmp_path / "front.db", url=behind.url), environ={})
        with Server(front, data_path=data_path) as server:
            sandbox.fault("status=503", times=1)
            traceparent = f"00-{TRACE}-{SPAN}-01"
            assert ask(server, x_switchgear_run="r1", x_switchgear_layer="l", traceparent=traceparent) == 200
            (first, *_) = mine = server.governor.ledger.reader.calls(CallFilter(), limit=10).items
            theirs = behind.governor.ledger.reader.calls(CallFilter(), limit=10).items
    assert [row.attempt for row in mine] == [2, 1]
    assert [row.parent_span_id for row in mine] == [SPAN, SPAN]
    assert [row.parent_span_id for row in theirs] == [attempt_span(first.call_id, 2), attempt_span(first.call_id, 1)]
    assert {row.trace_id for row in (*mine, *theirs)} == {TRACE}
    assert {row.layer for row in theirs} == {"l"}


def no_retries(config: Config) -> dict[str, ServiceConfig]:
    """Return the services of *config*, each tried once."""
    once = RetryConfig(attempts=1)
    return {name: service.model_copy(update={"retry": once}) for name, service in config.services.items()}


def test_a_traceparent_passes_to_a_provider_as_it_came(config: Config, sandbox: Sandbox) -> None:
    """Byte for byte; and where there was none, none is added."""
    with Server(config) as server:
        ask(server, traceparent=f"00-{TRACE}-{SPAN}-00", x_switchgear_run="r1")
        ask(server, x_switchgear_run="r1")
    told, untold = ({name.lower(): value for name, value in one.headers} for one in sandbox.requests)
    assert told["traceparent"] == f"00-{TRACE}-{SPAN}-00"
    assert "traceparent" not in untold


def test_the_current_span_of_opentelemetry_is_the_parent(config: Config) -> None:
    """Who traces with the SDK has our calls below their own span, and an exception passes as it is."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("mine")
    with Server(config) as server:
        gov = server.governor
        with tracer.start_as_current_span("mine") as span, pytest.raises(ZeroDivisionError), gov.call("llm", model="m"):
            raise ZeroDivisionError
        (row,) = gov.ledger.reader.calls(CallFilter(), limit=10).items
    context = span.get_span_context()
    assert (row.trace_id, row.parent_span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert row.error == "ZeroDivisionError"
