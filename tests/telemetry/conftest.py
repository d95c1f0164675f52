"""Events as a gate publishes them, and a receiver that decodes what OTLP brings."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from switchgear.calls import Attribution, Call, CallStatus, Outcome, Refusal, Usage, Verdict, new_call_id
from switchgear.events import CallRefused, CallSettled
from switchgear.tracing import place

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

START = 1_764_000_000_000_000
SECOND = 1_000_000


def made(run: str | None = None, layer: str | None = None, *, attempt: int = 1, call_id: str | None = None) -> Call:
    """Return a call of a model."""
    attribution = Attribution(run=run, layer=layer)
    trace_id, parent = place(attribution)
    return Call(
        id=call_id or new_call_id(START),
        service="llm",
        endpoint="/v1/chat/completions",
        model="m",
        attribution=attribution,
        attempt=attempt,
        trace_id=trace_id,
        parent_span_id=parent,
    )


def settled(
    call: Call,
    *,
    at: int = START,
    status: CallStatus = "ok",
    cost: int | None = 1000,
    error: str | None = None,
    waited: int = 0,
    took: int = SECOND,
) -> CallSettled:
    """Return the end of an attempt of *call*, *at* microseconds."""
    usage = Usage(input_tokens=10, output_tokens=5, reasoning_tokens=2)
    verdict: Verdict = "success" if status == "ok" else "failure"
    return CallSettled(
        call=call,
        status=status,
        usage=usage,
        cost=cost,
        waited_us=waited,
        duration_us=took,
        at=at,
        outcome=Outcome(status=status, verdict=verdict, usage=usage, error=error, http_status=200, model="m-1"),
        reserved=2000,
    )


def refused(call: Call, *, at: int = START, reason: str = "budget", waited: int = 0) -> CallRefused:
    """Return the refusal of *call*."""
    refusal = Refusal(
        reason=reason,  # type: ignore[arg-type]  # each test names one of them
        rule="acme",
        service=call.service,
        message="budget acme: no room",
        unit="usd",
        limit=5_000_000_000,
        used=4_000_000_000,
        needed=2_000_000_000,
    )
    return CallRefused(call=call, refusal=refusal, at=at, waited_us=waited)


class Receiver:
    """An OTLP receiver on loopback: ``with`` starts and stops it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.metrics: list[Metric] = []
        self.resources: list[dict[str, object]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if receiver.status == 200:
                    receiver.take(self.path, dict(self.headers), body)
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.paths.append(path)
        self.headers.append({name.lower(): value for name, value in headers.items()})
        if path.endswith("/traces"):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append(plain(resource.resource.attributes))
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        else:
            for measured in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for kind in measured.scope_metrics:
                    self.metrics += kind.metrics

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def plain(attributes: object) -> dict[str, object]:
    """Return protobuf *attributes* as a dict."""
    found: dict[str, object] = {}
    pairs: list[KeyValue] = list(attributes)  # type: ignore[call-overload]  # protobuf's own container
    for pair in pairs:
        kind = pair.value.WhichOneof("value") or "string_value"
        value = getattr(pair.value, kind)
        found[pair.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found
