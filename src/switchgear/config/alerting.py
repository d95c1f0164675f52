"""The shape of ``[alerts]``: what is watched, by which rules, and who is told."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from switchgear.config.units import Duration

__all__ = [
    "METRICS",
    "SEVERITIES",
    "AlertChannelConfig",
    "AlertRuleConfig",
    "AlertsConfig",
    "Metric",
    "Severity",
]

Severity = Literal["info", "warning", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
"""From the mildest to the gravest."""


class Metric(NamedTuple):
    """What a rule may watch.

    Attributes:
        labels: what tells its subjects apart, and what a rule may match.
        unit: what stands behind a value.
        text: what it is.
        windowed: it is taken over the rule's ``window``.
    """

    labels: tuple[str, ...]
    unit: str
    text: str
    windowed: bool = False


_SERVICE: Final = ("service",)
_BUDGET: Final = ("budget", "value")
_PIPELINE: Final = ("pipeline",)

METRICS: Final[dict[str, Metric]] = {
    "breaker.open": Metric(_SERVICE, "", "1 while the breaker is open, forced open or probing, else 0"),
    "budget.used_percent": Metric(_BUDGET, "%", "what is spent of a budget's limit"),
    "budget.forecast_percent": Metric(_BUDGET, "%", "what will be spent at the end of the period, of the limit"),
    "limit.used_percent": Metric(("service", "limit"), "%", "how full a limit's window is"),
    "run.failed": Metric(_PIPELINE, "runs", "runs of a pipeline that failed within the last hour"),
    "run.minutes": Metric(_PIPELINE, "min", "how long the longest run under way has been going"),
    "run.quiet_minutes": Metric(_PIPELINE, "min", "how long a run under way has put nothing on record"),
    "service.calls": Metric(_SERVICE, "calls", "attempts of every outcome", windowed=True),
    "service.cost_score": Metric(_SERVICE, "", "how far the cost is above the service's own past", windowed=True),
    "service.cost_usd": Metric(_SERVICE, "USD", "what priced attempts cost", windowed=True),
    "service.error_percent": Metric(_SERVICE, "%", "failed of the answered attempts (ok and failed)", windowed=True),
    "service.error_score": Metric(_SERVICE, "", "how far the error rate is above the service's past", windowed=True),
    "service.failed": Metric(_SERVICE, "calls", "attempts that failed", windowed=True),
    "service.p95_ms": Metric(_SERVICE, "ms", "what 95 % of the attempts took at most", windowed=True),
    "service.refused": Metric(_SERVICE, "calls", "calls that the gate turned away", windowed=True),
    "service.silent": Metric(_SERVICE, "", "1 when no call came where there usually are some, else 0", windowed=True),
    "service.unpriced": Metric(_SERVICE, "calls", "attempts that went out without a known price", windowed=True),
    "ledger.failing": Metric((), "", "1 while the ledger can't be read or written, else 0"),
    "state.failing": Metric((), "", "1 while the live numbers can't be read, else 0"),
}
"""Every metric that a rule may watch."""

_Number = StrictFloat | StrictInt
_Bound = Annotated[_Number, Field(allow_inf_nan=False)]
_Name = Annotated[StrictStr, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, validate_by_name=False, serialize_by_alias=True
    )


class AlertRuleConfig(_Section):
    """A rule of one's own, or changes to the built-in one of the same name; None: as there, or none.

    It fires once *above*, *at_least* or *below* has held for *for*; it holds on until the value is past
    *resolve*, and is over when that has been so for *keep_for*.
    """

    name: _Name
    enabled: StrictBool = True
    metric: StrictStr | None = None
    match: dict[StrictStr, StrictStr] | None = None
    above: _Bound | None = None
    at_least: _Bound | None = None
    below: _Bound | None = None
    resolve: _Bound | None = None
    window: Duration | None = None
    hold: Duration | None = Field(default=None, alias="for")
    keep_for: Duration | None = None
    minimum_calls: Annotated[StrictInt, Field(gt=0)] | None = None
    severity: Severity | None = None
    labels: dict[StrictStr, StrictStr] | None = None
    why: StrictStr | None = None


class AlertChannelConfig(_Section):
    """Who is told: a ``webhook``, an ``alertmanager``, whatever ``apprise`` knows, or a plugin's kind of channel."""

    name: _Name
    kind: StrictStr = "webhook"
    url: StrictStr | None = None
    url_env: StrictStr | None = None
    secret_env: StrictStr | None = None
    severity: Severity = "info"
    resolved: StrictBool = True


class AlertsConfig(_Section):
    """How often rules are looked at, how long until somebody is told again, and of what address links are."""

    enabled: StrictBool = True
    interval: Duration = Field(default="15s")  # type: ignore[assignment]  # validated into microseconds
    repeat: Duration = Field(default="4h")  # type: ignore[assignment]  # validated into microseconds
    link: StrictStr | None = None
    rules: tuple[AlertRuleConfig, ...] = ()
    channels: tuple[AlertChannelConfig, ...] = ()
