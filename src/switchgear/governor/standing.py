"""Where a request stands in a trace, and what tells the next gateway of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.governor.attribution import with_baggage
from switchgear.tracing import attempt_span, call_trace, place, traceparent

if TYPE_CHECKING:
    from switchgear.calls import Attribution, Call
    from switchgear.governor.asked import Asked
    from switchgear.governor.headers import Headers

__all__ = ["chained", "standing"]


def standing(
    asked: Asked, traced: tuple[str | None, str | None] | None, attribution: Attribution
) -> tuple[str | None, str | None]:
    """Return trace id and parent span id of *asked*; None, None: it is a trace of its own.

    Its ``traceparent``, read as *traced*, has the first word, then the span of OpenTelemetry that it was made in,
    then its run.
    """
    found = asked.span if traced is None else traced
    return place(attribution) if found[0] is None else found


def chained(headers: Headers, call: Call) -> Headers:
    """Return *headers* as another gateway gets them: whose call it is, and that it is below this attempt of it."""
    trace_id = call.trace_id or call_trace(call.id)
    kept = [pair for pair in headers if pair[0].lower() != "traceparent"]
    kept.append(("traceparent", traceparent(trace_id, attempt_span(call.id, call.attempt))))
    return with_baggage(kept, call.attribution)
