"""The GenAI metrics of OpenTelemetry, from the attempts that went out: each is counted once, in these two alone.

Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader

from switchgear.clock import MICROS
from switchgear.insight.exports import DestinationCounts
from switchgear.telemetry.otlp.sdk import LastWords, resource
from switchgear.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.util.types import AnyValue

    from switchgear.telemetry.otlp.destinations import Destination
    from switchgear.telemetry.spans.span import Span

__all__ = ["DURATION", "TOKENS", "GenAiMetrics"]

TOKENS: Final = "gen_ai.client.token.usage"
DURATION: Final = "gen_ai.client.operation.duration"

_TOKEN_BOUNDS: Final = [4**power for power in range(14)]
_SECOND_BOUNDS: Final = [0.01 * 2**power for power in range(14)]
_WORDS: Final = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)


class GenAiMetrics:
    """Counts attempts, and sends the sums to *destination* every ``OTEL_METRIC_EXPORT_INTERVAL`` (a minute)."""

    def __init__(self, destination: Destination) -> None:
        self._destination: Final = destination
        self._exporter: Final = _Counting(endpoint=destination.url)
        self._provider: Final = MeterProvider(
            metric_readers=[PeriodicExportingMetricReader(self._exporter)],
            resource=resource(),
            shutdown_on_exit=False,
        )
        meter = self._provider.get_meter("switchgear", __version__)
        self._tokens: Final = meter.create_histogram(
            TOKENS,
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKEN_BOUNDS,
        )
        self._duration: Final = meter.create_histogram(
            DURATION,
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECOND_BOUNDS,
        )

    @property
    def counts(self) -> DestinationCounts:
        """How often the sums were taken, and how often not."""
        return DestinationCounts(
            name=self._destination.name,
            signal="metrics",
            url=self._destination.shown,
            exported=self._exporter.taken,
            failed=self._exporter.failed,
            problem=self._exporter.problem,
        )

    def record(self, span: Span) -> None:
        """Count *span*, if it is an attempt at a model."""
        words = span.attributes
        if span.kind != "attempt" or "gen_ai.operation.name" not in words:
            return
        same: dict[str, AnyValue] = {name: words[name] for name in _WORDS if name in words}
        for kind in ("input", "output"):
            count = words.get(f"gen_ai.usage.{kind}_tokens")
            if isinstance(count, int) and count:
                self._tokens.record(count, {**same, "gen_ai.token.type": kind})
        failed: dict[str, AnyValue] = {} if span.error is None else {"error.type": span.error}
        self._duration.record((span.end - span.start) / MICROS, {**same, **failed})

    def close(self, seconds: float) -> None:
        """Send what there is, for at most so long."""
        self._provider.shutdown(timeout_millis=seconds * 1000)


class _Counting(OTLPMetricExporter):
    """The exporter, which tells nobody else how it went."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint=endpoint)
        self.taken = self.failed = 0
        self.problem: str | None = None
        self._heard: Final = LastWords()

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float | None = 10_000,
        **kwargs: Any,  # noqa: ANN401 - as the base class has it
    ) -> MetricExportResult:
        self._heard.listen()
        result = super().export(metrics_data, timeout_millis, **kwargs)
        if result is MetricExportResult.SUCCESS:
            self.taken, self.problem = self.taken + 1, None
        else:
            self.failed, self.problem = self.failed + 1, self._heard.last or "not taken"
        return result
