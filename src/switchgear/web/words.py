"""The word, glyph and tone of every state. A colour never stands alone."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal

import msgspec

from switchgear.calls import CallStatus, Reason
from switchgear.config.alerting import Severity
from switchgear.insight.metrics import BudgetMetrics, BudgetState, CircuitBreakerMetrics, HealthStatus
from switchgear.insight.outcomes import OUTCOMES, Outcome
from switchgear.insight.rule_item import RuleItem, RuleVerdict
from switchgear.ledger.views import CallRow
from switchgear.runner.views import LayerStatus, RunStatus
from switchgear.web.applications import ApplicationStatus
from switchgear.web.format import duration

__all__ = [
    "APPLICATION_WORDS",
    "BREAKER_WORDS",
    "BUDGET_WORDS",
    "HEALTH_WORDS",
    "LAYER_WORDS",
    "RUN_WORDS",
    "SEVERITY_WORDS",
    "VERDICT_WORDS",
    "Badge",
    "breaker_badge",
    "breaker_story",
    "budget_title",
    "call_badge",
    "outcome_badge",
    "outcome_words",
    "rule_badge",
    "rule_words",
]

Tone = Literal["ok", "warn", "crit", "probe", "idle"]


class Badge(msgspec.Struct, frozen=True):
    """A state for the eye: *tone* chooses colour and glyph, *word* says it."""

    tone: Tone
    word: str


HEALTH_WORDS: Final[dict[HealthStatus, Badge]] = {
    "healthy": Badge("ok", "Healthy"),
    "degraded": Badge("warn", "Degraded"),
    "unhealthy": Badge("crit", "Unhealthy"),
}

BUDGET_WORDS: Final[dict[BudgetState, Badge]] = {
    "ok": Badge("ok", "OK"),
    "warning": Badge("warn", "Warning"),
    "critical": Badge("warn", "Critical"),
    "exceeded": Badge("crit", "Exceeded"),
}

RUN_WORDS: Final[dict[RunStatus, Badge]] = {
    "queued": Badge("idle", "Queued"),
    "running": Badge("probe", "Running"),
    "paused": Badge("warn", "Paused"),
    "ok": Badge("ok", "Done"),
    "failed": Badge("crit", "Failed"),
    "cancelled": Badge("idle", "Cancelled"),
}

LAYER_WORDS: Final[dict[LayerStatus, Badge]] = {
    "waiting": Badge("idle", "Not begun"),
    "running": Badge("probe", "Running"),
    "ok": Badge("ok", "Done"),
    "failed": Badge("crit", "Failed"),
    "skipped": Badge("warn", "Skipped"),
    "paused": Badge("warn", "Paused"),
    "cancelled": Badge("idle", "Interrupted"),
}

SEVERITY_WORDS: Final[dict[Severity, Badge]] = {
    "info": Badge("idle", "Info"),
    "warning": Badge("warn", "Warning"),
    "critical": Badge("crit", "Critical"),
}

BREAKER_WORDS: Final = {
    "closed": Badge("ok", "Closed"),
    "open": Badge("crit", "Open"),
    "half_open": Badge("probe", "Probing"),
    "forced_open": Badge("crit", "Forced open"),
    "disabled": Badge("idle", "Disabled"),
    "metrics_only": Badge("idle", "Metrics only"),
}

_OUTCOMES: Final[dict[CallStatus, Badge]] = {
    "ok": Badge("ok", "OK"),
    "failed": Badge("crit", "Failed"),
    "refused": Badge("warn", "Refused"),
    "cancelled": Badge("idle", "Cancelled"),
    "orphaned": Badge("warn", "Orphaned"),
    "reserved": Badge("probe", "In flight"),
}

_REASONS: Final[dict[Reason, str]] = {
    "rate_limit": "Refused: rate limit",
    "breaker": "Refused: breaker",
    "budget": "Refused: budget",
    "skip": "Skipped: budget",
    "unpriced": "Refused: unpriced",
}


APPLICATION_WORDS: Final[dict[ApplicationStatus, Badge]] = {
    "drafted": Badge("idle", "Drafted"),
    "ready": Badge("idle", "Ready"),
    "applied": Badge("ok", "Applied"),
    "interview": Badge("ok", "Interview"),
    "offer": Badge("ok", "Offer"),
    "rejected": Badge("crit", "Rejected"),
    "withdrawn": Badge("idle", "Withdrawn"),
}

VERDICT_WORDS: Final[dict[RuleVerdict, Badge]] = {
    "pass": Badge("ok", "Passed"),
    "wait": Badge("warn", "Waited"),
    "refuse": Badge("crit", "Refused"),
    "not_asked": Badge("idle", "Not asked"),
}


def breaker_badge(breaker: CircuitBreakerMetrics) -> Badge:
    """Return the state of *breaker* in a word."""
    return BREAKER_WORDS[breaker.state]


def breaker_story(breaker: CircuitBreakerMetrics, now: dt.datetime) -> str:
    """Return what the state means for a call that comes now."""
    if breaker.state == "open":
        if breaker.next_probe_at is None or breaker.next_probe_at <= now:
            return "refusing calls, the next one is a probe"
        return f"refusing calls, next probe in {duration((breaker.next_probe_at - now).total_seconds())}"
    if breaker.state == "half_open":
        return f"{breaker.probes} of {breaker.max_probes} trial calls"
    stories = {
        "forced_open": "refusing calls until an operator closes it",
        "disabled": "traffic flows unguarded",
        "metrics_only": "traffic flows, and what would open the circuit is told",
    }
    return stories.get(breaker.state, "traffic flows")


def outcome_words(outcome: Outcome) -> str:
    """Return a filter's outcome as people say it."""
    status, reason = OUTCOMES[outcome]
    return _REASONS[reason] if reason else _OUTCOMES[status].word


def outcome_badge(row: CallRow) -> Badge:
    """Return how an attempt ended, with the kind of rule that refused it."""
    return call_badge(row.status, row.refused_by)


def call_badge(status: CallStatus, refused_by: Reason | None) -> Badge:
    """Return a status in a word, with the kind of rule that refused."""
    badge = _OUTCOMES[status]
    return Badge(badge.tone, _REASONS[refused_by]) if refused_by else badge


def rule_badge(rule: RuleItem) -> Badge:
    """Return what a rule said to a call, in a word."""
    return VERDICT_WORDS[rule.verdict]


def budget_title(budget: BudgetMetrics) -> str:
    """Return the budget's name, with the job (or other value) that it is for."""
    return budget.name if budget.value is None else f"{budget.name}: {budget.value}"


def rule_words(rule: str) -> str:
    """Return the name of a limit as people say it."""
    return {
        "requests_per_minute": "requests / min",
        "requests_per_day": "requests / day",
        "tokens_per_minute": "tokens / min",
        "tokens_per_day": "tokens / day",
        "concurrent": "in flight",
    }.get(rule, rule.replace("_", " "))
