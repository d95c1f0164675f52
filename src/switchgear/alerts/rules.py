"""A rule as it is evaluated: when a value is bad, and when it is good again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from switchgear.clock import MICROS
from switchgear.config.alert_rules import merged_rules
from switchgear.config.alerting import METRICS, Severity

if TYPE_CHECKING:
    from switchgear.config.alerting import AlertRuleConfig, AlertsConfig

__all__ = ["Operator", "Rule", "rules_of"]

Operator = Literal["above", "at_least", "below"]

_OPERATORS: Final[tuple[Operator, ...]] = ("above", "at_least", "below")

_KEEP: Final = 60 * MICROS
"""How long a value must be good again before an alert is over, unless a rule says otherwise."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    Attributes:
        match: which subjects it is for; empty: all.
        threshold: the value is bad when it is *operator* that.
        resolve: while the alert fires, the value stays bad until it is past this one.
        window_us: the time that the metric is taken over; None: it is one of the moment.
        hold_us: how long the value must be bad before the alert fires.
        keep_us: how long it must be good before the alert is over.
        minimum_calls: with fewer answered calls in the window there is no value.
        labels: said with every alert of it, for whoever routes them.
        why: why it matters, in a sentence.
    """

    name: str
    metric: str
    operator: Operator
    threshold: float
    resolve: float
    match: dict[str, str] = {}
    window_us: int | None = None
    hold_us: int = 0
    keep_us: int = _KEEP
    minimum_calls: int = 1
    severity: Severity = "warning"
    labels: dict[str, str] = {}
    why: str = ""

    @property
    def unit(self) -> str:
        """What stands behind a value; "" for a plain number."""
        return METRICS[self.metric].unit

    def applies(self, labels: dict[str, str]) -> bool:
        """Return whether it is for the subject with *labels*."""
        return all(labels.get(name) == value for name, value in self.match.items())

    def is_bad(self, value: float | None, *, firing: bool) -> bool:
        """Return whether *value* keeps the alert up; None, a metric without a value, does not."""
        if value is None:
            return False
        bound = self.resolve if firing else self.threshold
        if self.operator == "below":
            return value < bound
        if self.operator == "above" or (firing and self.resolve != self.threshold):
            return value > bound
        return value >= bound

    def stricter(self, other: Rule) -> bool:
        """Return whether it asks for more of the same metric, in the same direction, than *other*."""
        if self.metric != other.metric or (self.operator == "below") != (other.operator == "below"):
            return False
        if self.operator == "below":
            return self.threshold < other.threshold
        return self.threshold > other.threshold


def rules_of(config: AlertsConfig) -> tuple[Rule, ...]:
    """Return the rules of *config* that are on, the built-in ones first."""
    return tuple(_rule(one) for one in merged_rules(config) if one.enabled)


def _rule(config: AlertRuleConfig) -> Rule:
    operator = next(name for name in _OPERATORS if getattr(config, name) is not None)
    threshold = float(getattr(config, operator))
    return Rule(
        name=config.name,
        metric=cast("str", config.metric),
        operator=operator,
        threshold=threshold,
        resolve=threshold if config.resolve is None else float(config.resolve),
        match=dict(config.match or {}),
        window_us=config.window,
        hold_us=config.hold or 0,
        keep_us=_KEEP if config.keep_for is None else config.keep_for,
        minimum_calls=config.minimum_calls or 1,
        severity=config.severity or "warning",
        labels=dict(config.labels or {}),
        why=config.why or "",
    )
