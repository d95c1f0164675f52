"""The attributes of spans: those of the GenAI conventions of OpenTelemetry, and ``switchgear.*`` for what they lack.

Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from switchgear.money import to_usd
from switchgear.telemetry.spans.facts import operation_of

if TYPE_CHECKING:
    from switchgear.calls import Attribution, Call, Reason, Refusal
    from switchgear.events import CallSettled, CircuitName
    from switchgear.telemetry.spans.facts import ServiceFacts
    from switchgear.telemetry.spans.span import Attributes

__all__ = ["REFUSALS", "attempt_words", "call_words", "decisions", "error_type", "refusal_words", "usd", "whose"]

REFUSALS: Final[dict[Reason, str]] = {
    "rate_limit": "RateLimited",
    "breaker": "BreakerOpen",
    "budget": "BudgetExceeded",
    "skip": "Skipped",
    "unpriced": "Unpriced",
}
"""What Python raises for each of them."""

_TYPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_STATUS: Final = re.compile(r"HTTP (\d{3})\b")


def usd(nano: int) -> str:
    """Return *nano* as a decimal string of USD."""
    return f"{to_usd(nano):f}"


def whose(attribution: Attribution) -> Attributes:
    """Return on whose behalf it is."""
    found: Attributes = {}
    for name in ("job", "run", "layer", "key"):
        if (value := attribution.value(name)) is not None:
            found[f"switchgear.{name}"] = value
    for name, value in attribution.tags:
        found[f"switchgear.tag.{name}"] = value
    return found


def call_words(call: Call) -> Attributes:
    """Return what a call is, whatever becomes of it."""
    found: Attributes = {
        "switchgear.call_id": call.id,
        "switchgear.service": call.service,
        "switchgear.endpoint": call.endpoint,
        **whose(call.attribution),
    }
    if call.model is not None:
        found["switchgear.model"] = call.model
    if call.degraded_from is not None:
        found["switchgear.degraded_from"] = call.degraded_from
    return found


def attempt_words(event: CallSettled, facts: ServiceFacts, breaker: CircuitName) -> Attributes:
    """Return what one attempt was, used and cost."""
    call = event.call
    found = call_words(call)
    found["switchgear.attempt"] = call.attempt
    found["switchgear.status"] = event.status
    found["switchgear.wait_ms"] = event.waited_us / 1000
    found["switchgear.breaker.state"] = breaker
    found["switchgear.decisions"] = decisions(event, breaker)
    if event.reserved is not None:
        found["switchgear.reserved_usd"] = usd(event.reserved)
    if event.cost is None:
        found["switchgear.unpriced"] = True
    else:
        found["switchgear.cost_usd"] = usd(event.cost)
        found["switchgear.cost_nano_usd"] = event.cost
    if event.estimated:
        found["switchgear.estimated"] = True
    for unit, count in event.usage.units:
        found[f"switchgear.units.{unit}"] = count
    if facts.address is not None:
        found["server.address"] = facts.address
    if facts.port is not None:
        found["server.port"] = facts.port
    if event.outcome is not None and event.outcome.http_status is not None:
        found["http.response.status_code"] = event.outcome.http_status
    return found | _model_words(event, facts) if facts.models or call.model is not None else found


def _model_words(event: CallSettled, facts: ServiceFacts) -> Attributes:
    call, usage, outcome = event.call, event.usage, event.outcome
    found: Attributes = {
        "gen_ai.operation.name": operation_of(call.endpoint),
        "gen_ai.provider.name": facts.provider,
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
    }
    if call.model is not None:
        found["gen_ai.request.model"] = call.model
    if outcome is not None and outcome.model is not None:
        found["gen_ai.response.model"] = outcome.model
    if usage.cache_read_tokens:
        found["gen_ai.usage.cache_read.input_tokens"] = usage.cache_read_tokens
    if usage.cache_write_tokens:
        found["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        found["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if call.streamed:
        found["gen_ai.request.stream"] = True
        if outcome is not None and outcome.ttft_us is not None:
            found["gen_ai.response.time_to_first_chunk"] = outcome.ttft_us / 1e6
    return found


def decisions(event: CallSettled, breaker: CircuitName) -> list[str]:
    """Return what each rule said to a call that was let go, in the order of asking."""
    limits = f"limits: passed after {event.waited_us / 1000:g} ms" if event.waited_us else "limits: passed"
    held = "unpriced, nothing" if event.reserved is None else f"${usd(event.reserved)}"
    return [limits, f"breaker: {breaker}", f"budgets: passed, {held} reserved"]


def refusal_words(refusal: Refusal) -> Attributes:
    """Return the deciding rule with its numbers."""
    found: Attributes = {"switchgear.refused_by": refusal.reason, "switchgear.rule": refusal.rule}
    for name in ("limit", "used", "reserved", "needed"):
        if (number := getattr(refusal, name)) is not None:
            found[f"switchgear.rule.{name}"] = usd(number) if refusal.unit == "usd" else number
    if refusal.unit is not None:
        found["switchgear.rule.unit"] = refusal.unit
    if refusal.retry_after is not None:
        found["switchgear.retry_after_s"] = refusal.retry_after
    return found


def error_type(error: str) -> str:
    """Return the type of *error* as the ledger words it: an exception's name, a status, or ``_OTHER``."""
    if _TYPE.fullmatch(error):
        return error
    status = _STATUS.match(error)
    return "_OTHER" if status is None else status[1]
