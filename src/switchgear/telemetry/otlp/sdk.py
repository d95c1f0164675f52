"""Spans and metrics in the words of the OpenTelemetry SDK, which encodes and sends them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from typing import TYPE_CHECKING, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from switchgear.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.telemetry.otlp.destinations import Destination
    from switchgear.telemetry.spans.span import Attributes, Span

__all__ = ["LastWords", "SdkSender", "readable", "resource"]

_SCOPE: Final = InstrumentationScope("switchgear", __version__)

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_LANGSMITH_KINDS: Final = {"run": "chain", "layer": "chain", "call": "chain", "attempt": "tool"}


def resource() -> Resource:
    """Return who we are: ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES``, or else ``switchgear``."""
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    ours = {"service.version": __version__, "service.instance.id": str(uuid.uuid4())} | (
        {} if named else {"service.name": "switchgear"}
    )
    return Resource.create(ours)


class SdkSender:
    """Sends spans to *destination* by the SDK's exporter, which has timeouts, TLS and headers from the environment."""

    def __init__(self, destination: Destination) -> None:
        self._langsmith: Final = destination.name == "langsmith"
        self._resource: Final = resource()
        self._words: Final = LastWords()
        with _no_headers() if self._langsmith else contextlib.nullcontext():
            self._exporter: Final = OTLPSpanExporter(endpoint=destination.url, headers=destination.headers or None)

    def send(self, spans: Sequence[Span]) -> str | None:
        """Send *spans*; return None, or why they were not taken."""
        self._words.listen()
        batch = [readable(span, self._resource, langsmith=self._langsmith) for span in spans]
        if self._exporter.export(batch) is SpanExportResult.SUCCESS:
            return None
        return self._words.last or "not taken"

    def close(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK says nothing of its types here


class LastWords(logging.Handler):
    """Keeps the newest complaint of an exporter, which it tells its log alone, in the thread that listens."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None
        self._thread: int | None = None
        logging.getLogger("opentelemetry").addHandler(self)

    def listen(self) -> None:
        """Keep those of this thread, from now on."""
        self.last, self._thread = None, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()[:200]


@contextlib.contextmanager
def _no_headers() -> Iterator[None]:
    """Hide the headers of the environment: they are meant for the collector that it names, and may be secrets."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.endswith("_HEADERS")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def readable(span: Span, of: Resource, *, langsmith: bool = False) -> ReadableSpan:
    """Return *span* as the SDK has it; *langsmith*: with what LangSmith shows it by."""
    trace_id = int(span.trace_id, 16)
    context = SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=_SAMPLED)
    parent = None
    if span.parent is not None:
        parent = SpanContext(trace_id, int(span.parent, 16), is_remote=False, trace_flags=_SAMPLED)
    words = span.attributes | _langsmith(span) if langsmith else span.attributes
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=parent,
        resource=of,
        attributes=words,
        events=[Event(one.name, one.attributes, one.at * 1000) for one in span.moments],
        kind=SpanKind.CLIENT if span.wire else SpanKind.INTERNAL,
        instrumentation_scope=_SCOPE,
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.message),
        start_time=span.start * 1000,
        end_time=span.end * 1000,
    )


def _langsmith(span: Span) -> Attributes:
    kind = "llm" if "gen_ai.operation.name" in span.attributes else _LANGSMITH_KINDS[span.kind]
    return {"langsmith.span.kind": kind, "langsmith.trace.name": span.name}
