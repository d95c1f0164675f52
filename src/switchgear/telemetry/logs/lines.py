"""Which events are worth a line, how grave they are, and what the line says. Never what was asked or answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from switchgear.events import (
    BreakerChanged,
    BudgetChanged,
    BudgetCrossed,
    CallRefused,
    CallRetried,
    CallSettled,
    ShadowExceeded,
)
from switchgear.money import to_usd
from switchgear.telemetry.logs.line import say

if TYPE_CHECKING:
    from switchgear.calls import Call
    from switchgear.events import Event

__all__ = ["Lines"]


class Lines:
    """Listens to the bus, and logs with the standard library: whoever sets logging up decides how it looks."""

    def __init__(self) -> None:
        self._breaker: Final = logging.getLogger("switchgear.breaker")
        self._budget: Final = logging.getLogger("switchgear.budget")
        self._call: Final = logging.getLogger("switchgear.call")

    def listen(self, event: Event) -> None:
        """Log *event*, if it changes anything. A configuration that changed is told by who read it."""
        if isinstance(event, CallSettled):
            self._settled(event)
        elif isinstance(event, CallRefused):
            self._refused(event)
        elif isinstance(event, CallRetried):
            said = {"next_service": event.service, "pause_ms": event.pause_us / 1000}
            about = (event.call.service, event.service)
            say(self._call, logging.INFO, "call_retried", about, **_of(event.call), **said)
        elif isinstance(event, BreakerChanged):
            said = {"service": event.service, "old": event.old, "new": event.new, "reason": event.reason}
            level = logging.WARNING if event.new in {"open", "forced_open"} else logging.INFO
            say(self._breaker, level, "breaker_changed", (event.service, event.new), **said)
        elif isinstance(event, BudgetCrossed):
            self._crossed(event)
        elif isinstance(event, BudgetChanged):
            numbers = {"old": _amount(event.old, event.unit), "new": _amount(event.new, event.unit), "unit": event.unit}
            said = {"budget": event.budget, **numbers, "by": event.by, "note": event.note}
            say(self._budget, logging.WARNING, "budget_changed", (event.budget,), **said)
        elif isinstance(event, ShadowExceeded):
            said = {"service": event.service, "rule": event.rule, "value": event.value, "verdict": event.verdict}
            say(self._budget, logging.INFO, "shadow_exceeded", (event.rule, event.value), **said, calls=event.count)

    def _settled(self, event: CallSettled) -> None:
        failed = event.status == "failed"
        level = logging.WARNING if failed else logging.DEBUG
        if not self._call.isEnabledFor(level):
            return
        outcome = event.outcome
        said: dict[str, Any] = {
            "status": event.status,
            "cost_usd": None if event.cost is None else f"{to_usd(event.cost):f}",
            "waited_ms": event.waited_us / 1000,
            "took_ms": event.duration_us / 1000,
        }
        if outcome is not None and outcome.http_status is not None:
            said["http_status"] = outcome.http_status
        error = None if outcome is None else outcome.error
        if error is not None:
            said["error"] = error
        name = "call_failed" if failed else "call_settled"
        about = (event.call.service, error) if failed else (event.call.id, event.call.attempt)
        say(self._call, level, name, about, **_of(event.call), **said)

    def _refused(self, event: CallRefused) -> None:
        refusal = event.refusal
        said = {"reason": refusal.reason, "rule": refusal.rule, "message": refusal.message}
        if refusal.retry_after is not None:
            said["retry_after_s"] = f"{refusal.retry_after:g}"
        about = (event.call.service, refusal.reason, refusal.rule)
        say(self._call, logging.WARNING, "call_refused", about, **_of(event.call), **said)

    def _crossed(self, event: BudgetCrossed) -> None:
        level = logging.INFO if event.shadow else logging.ERROR if event.threshold >= 1 else logging.WARNING
        said = {
            "budget": event.budget,
            "value": event.value,
            "threshold_percent": round(event.threshold * 100, 1),
            "used": _amount(event.used, event.unit),
            "limit": _amount(event.limit, event.unit),
            "unit": event.unit,
        }
        say(self._budget, level, "budget_crossed", (event.budget, event.value, event.threshold), **said)


def _of(call: Call) -> dict[str, object]:
    """Return what binds a line to its call, run and trace."""
    who = call.attribution
    return {
        "call_id": call.id,
        "attempt": call.attempt,
        "service": call.service,
        "model": call.model,
        "job": who.job,
        "run": who.run,
        "layer": who.layer,
        "key": who.key,
        "trace_id": call.trace_id,
    }


def _amount(number: int, unit: str) -> str | int:
    return f"{to_usd(number):f}" if unit == "usd" else number
