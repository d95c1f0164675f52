"""What a snapshot is made of: frozen structs with money as Decimal USD and instants in UTC."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from switchgear.calls import Unit
from switchgear.events import CircuitName
from switchgear.insight.exports import ExportCounts

__all__ = [
    "BudgetMetrics",
    "BudgetState",
    "CircuitBreakerMetrics",
    "HealthReason",
    "HealthStatus",
    "MetricsSnapshot",
    "RateLimitMetrics",
    "RecentCalls",
    "ServiceHealth",
    "Subject",
    "SystemHealth",
    "TokenMetrics",
    "TokenShare",
    "plain",
]

HealthStatus = Literal["healthy", "degraded", "unhealthy"]
BudgetState = Literal["ok", "warning", "critical", "exceeded"]
Subject = Literal["service", "budget", "limit", "errors", "ledger", "configuration", "process", "telemetry"]

VERSION: Final = 1


def plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Return *value* JSON-ready: decimals as text without exponent, instants as RFC 3339 in UTC."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return value


class _Metrics(msgspec.Struct, frozen=True, kw_only=True):
    def to_dict(self) -> dict[str, Any]:
        """Return the whole as JSON-ready dicts and lists; fields are only ever added."""
        found: dict[str, Any] = plain(self)
        return found


class TokenShare(_Metrics, frozen=True, kw_only=True):
    """What one service, provider, model or layer had of the calls; *name* None: not said."""

    name: str | None
    calls: int = 0
    ok: int = 0
    failed: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    estimated: int = 0


class TokenMetrics(_Metrics, frozen=True, kw_only=True):
    """Calls, tokens and cost of one period.

    Attributes:
        period: ``today`` or ``month``, cut in the reporting time zone.
        calls: attempts of every outcome; *ok*, *failed*, *refused*, *cancelled* and *orphaned* add up to it.
        cost_usd: of priced calls; the *unpriced* ones are in no sum.
        estimated: calls whose usage is our estimate, not the provider's word.
    """

    period: Literal["today", "month"]
    since: dt.datetime
    until: dt.datetime
    calls: int = 0
    ok: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    orphaned: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    estimated: int = 0
    by_service: tuple[TokenShare, ...] = ()
    by_provider: tuple[TokenShare, ...] = ()
    by_model: tuple[TokenShare, ...] = ()
    by_layer: tuple[TokenShare, ...] = ()


class RecentCalls(_Metrics, frozen=True, kw_only=True):
    """How calls went lately.

    Attributes:
        error_rate: failed / (ok + failed); None without such calls. Cancelled and refused calls say
            nothing about a service.
        p95_ms: what 95 % of the calls took at most, waiting for the gate not included.
    """

    since: dt.datetime
    until: dt.datetime
    ok: int = 0
    failed: int = 0
    refused: int = 0
    error_rate: float | None = None
    p95_ms: float | None = None

    @property
    def answered(self) -> int:
        """Calls that say something about the services: ok and failed."""
        return self.ok + self.failed


class RateLimitMetrics(_Metrics, frozen=True, kw_only=True):
    """One limit of a service: *used* of *limit* in *unit*, within *window_seconds* (0: in flight now).

    A *shadow* limit is evaluated and not enforced: since the start it would have made *would_wait*
    calls wait and refused *would_refuse*.
    """

    service: str
    rule: str
    unit: Unit
    limit: int
    used: int
    used_percent: float
    window_seconds: float
    waiting: int
    free_at: dt.datetime | None
    shadow: bool = False
    would_wait: int = 0
    would_refuse: int = 0


class CircuitBreakerMetrics(_Metrics, frozen=True, kw_only=True):
    """A breaker: its state, what it counts against which thresholds, and when it will probe."""

    service: str
    state: CircuitName
    critical: bool
    since: dt.datetime
    failures: int
    failure_threshold: int
    window_calls: int
    window_failed: int
    failure_rate_threshold: float
    minimum_calls: int
    opened_times: int
    rejected: int
    next_probe_at: dt.datetime | None
    probes: int
    max_probes: int
    reason: str | None


class BudgetMetrics(_Metrics, frozen=True, kw_only=True):
    """One budget for one value of its ``each``.

    Money budgets have the ``*_usd`` numbers, token budgets the ``*_tokens`` ones; the others are None.

    Attributes:
        kind: the action in force: ``fail``, ``warn``, ``skip`` or ``degrade``; *kind_words* says it for people.
        used_percent: spent (not reserved) of the limit, rounded down to a tenth.
        state: ``ok``, ``warning``, ``critical`` or ``exceeded``.
        resets_at: the end of the running period; None for a total budget.
        unpriced_calls: calls of the period whose cost is unknown and in no number here.
        refused: calls turned away since the start of the process.
        shadow: it is evaluated and not enforced; *would_refuse*: the calls that it would have turned away.
    """

    name: str
    value: str | None
    match: dict[str, str]
    each: str | None
    kind: str
    kind_words: str
    unit: Unit
    limit_usd: Decimal | None = None
    spent_usd: Decimal | None = None
    reserved_usd: Decimal | None = None
    remaining_usd: Decimal | None = None
    limit_tokens: int | None = None
    spent_tokens: int | None = None
    reserved_tokens: int | None = None
    remaining_tokens: int | None = None
    used_percent: float
    reserved_percent: float
    state: BudgetState
    period: str
    period_start: dt.datetime | None
    resets_at: dt.datetime | None
    thresholds: tuple[float, ...]
    unpriced_calls: int
    refused: int
    reserve: str
    shadow: bool = False
    would_refuse: int = 0


class HealthReason(_Metrics, frozen=True, kw_only=True):
    """Why the status is not healthy: a sentence, how bad it is, and what it is about."""

    status: HealthStatus
    text: str
    subject: Subject
    name: str | None = None


class ServiceHealth(_Metrics, frozen=True, kw_only=True):
    """One service: its own status, its breaker, and its calls of the last hour."""

    name: str
    status: HealthStatus
    critical: bool
    breaker: CircuitName
    since: dt.datetime | None
    text: str
    calls: int = 0
    failed: int = 0
    refused: int = 0


class SystemHealth(_Metrics, frozen=True, kw_only=True):
    """The overall status; *reasons* are sorted, the worst first, and empty when healthy."""

    status: HealthStatus
    reasons: tuple[HealthReason, ...] = ()
    services: tuple[ServiceHealth, ...] = ()


class MetricsSnapshot(_Metrics, frozen=True, kw_only=True):
    """One picture of everything, as of *generated_at*.

    Attributes:
        errors: the calls of the last 5 to 20 minutes, which the error rate is taken from.
        hour: the calls of the last 60 minutes (whole quarters of an hour, so up to 75).
        exports: what became of spans and metrics that leave by OTLP; null: none do.
    """

    version: int = VERSION
    generated_at: dt.datetime
    timezone: str
    health: SystemHealth
    today: TokenMetrics
    month: TokenMetrics
    errors: RecentCalls
    hour: RecentCalls
    breaker_states: dict[str, int]
    breakers: tuple[CircuitBreakerMetrics, ...] = ()
    limits: tuple[RateLimitMetrics, ...] = ()
    budgets: tuple[BudgetMetrics, ...] = ()
    exports: ExportCounts | None = None
