"""What tells the next gateway where a call stands in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.tracing import attempt_span, call_trace, traceparent

if TYPE_CHECKING:
    from switchgear.calls import Call
    from switchgear.governor.headers import Headers

__all__ = ["chained"]


def chained(headers: Headers, call: Call) -> Headers:
    """Return *headers* as another gateway gets them: what it does is below this attempt."""
    trace_id = call.trace_id or call_trace(call.id)
    kept = [pair for pair in headers if pair[0].lower() != "traceparent"]
    return [*kept, ("traceparent", traceparent(trace_id, attempt_span(call.id, call.attempt)))]
