"""What became of exported spans and metrics, in Prometheus' words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from switchgear.insight.exports import ExportCounts

__all__ = ["export_families"]


def export_families(counts: ExportCounts) -> Iterator[Metric]:
    """Yield the families of *counts*; all of them begin at the start of the process."""
    yield CounterMetricFamily(
        "switchgear_export_events_dropped",
        "Events that never became spans, since too many waited for the exporting process.",
        value=counts.dropped,
    )
    yield CounterMetricFamily(
        "switchgear_export_left_out", "Spans of traces that sampling left out.", value=counts.left_out
    )
    labels = ["destination", "signal"]
    taken = CounterMetricFamily(
        "switchgear_exported", "Spans, or rounds of metrics, that a destination took.", labels=labels
    )
    lost = CounterMetricFamily(
        "switchgear_export_lost",
        "Spans that found the queue full (dropped), and spans or rounds of metrics that were not taken (failed).",
        labels=[*labels, "why"],
    )
    waiting = GaugeMetricFamily("switchgear_export_waiting", "Spans in the queue of a destination.", labels=labels)
    for one in counts.destinations:
        where = [one.name, one.signal]
        taken.add_metric(where, one.exported)
        lost.add_metric([*where, "dropped"], one.dropped)
        lost.add_metric([*where, "failed"], one.failed)
        waiting.add_metric(where, one.waiting)
    yield from (taken, lost, waiting)
