"""What leaves for other people's tools, and what of it was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.insight.exports import ExportCounts

__all__ = ["check_exports"]


def check_exports(counts: ExportCounts | None) -> Iterator[Finding]:
    """Whether destinations take what they are sent, and what was lost; *counts* None: nothing is exported."""
    if counts is None:
        return
    if counts.problem is not None:
        yield Finding("warn", "telemetry", counts.problem)
    if counts.dropped:
        text = f"{counts.dropped:,} events never became spans, since too many waited"
        yield Finding("warn", "telemetry", text, "raise telemetry.queue")
    for one in counts.destinations:
        what = "spans" if one.signal == "traces" else "rounds of metrics"
        text = f"{one.signal} to {one.url}: {one.exported:,} {what} taken"
        lost = one.dropped + one.failed
        if lost:
            text += f", {lost:,} lost ({one.dropped:,} found the queue full, {one.failed:,} were not taken)"
        if one.problem is not None:
            text += f"; now: {one.problem}"
        yield Finding("warn" if lost or one.problem else "ok", "telemetry", text)
