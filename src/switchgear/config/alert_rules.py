"""The rules that are in force without being asked for, and those of the configuration laid over them."""

from __future__ import annotations

from typing import Any, Final

from switchgear.config.alerting import AlertRuleConfig, AlertsConfig

__all__ = ["BUILT_IN", "merged_rules"]

_QUARTER: Final = "15m"


def _rule(name: str, **facts: Any) -> AlertRuleConfig:  # noqa: ANN401 - what the file would say
    return AlertRuleConfig.model_validate({"name": name, **facts})


BUILT_IN: Final = (
    _rule(
        "breaker-open",
        metric="breaker.open",
        at_least=1,
        keep_for="0s",
        severity="critical",
        why="Calls to this service are refused until a probe succeeds.",
    ),
    _rule(
        "budget-75",
        metric="budget.used_percent",
        at_least=75,
        severity="info",
        keep_for="0s",
        why="Three quarters of the budget are spent.",
    ),
    _rule(
        "budget-90",
        metric="budget.used_percent",
        at_least=90,
        severity="warning",
        keep_for="0s",
        why="Little of the budget is left.",
    ),
    _rule(
        "budget-100",
        metric="budget.used_percent",
        at_least=100,
        severity="critical",
        keep_for="0s",
        why="The budget is spent: its action is in force.",
    ),
    _rule(
        "budget-forecast",
        metric="budget.forecast_percent",
        above=100,
        resolve=95,
        **{"for": "30m"},
        severity="warning",
        why="If calls go on as they did, the budget ends before its period.",
    ),
    _rule(
        "limit-90",
        metric="limit.used_percent",
        at_least=90,
        resolve=80,
        severity="warning",
        **{"for": "1m"},
        why="Calls begin to wait, or are refused, when the limit is used up.",
    ),
    _rule(
        "limit-100",
        metric="limit.used_percent",
        at_least=100,
        resolve=90,
        severity="critical",
        **{"for": "1m"},
        why="The limit is used up: calls wait or are refused.",
    ),
    _rule(
        "error-rate",
        metric="service.error_percent",
        above=10,
        resolve=8,
        window="5m",
        minimum_calls=10,
        severity="warning",
        why="The service fails for more calls than it should.",
    ),
    _rule(
        "error-spike",
        metric="service.error_score",
        above=6,
        resolve=4,
        window=_QUARTER,
        minimum_calls=10,
        severity="warning",
        why="The service fails far more often than it usually does.",
    ),
    _rule(
        "cost-spike",
        metric="service.cost_score",
        above=6,
        resolve=4,
        window=_QUARTER,
        minimum_calls=5,
        severity="warning",
        why="Far more is spent than usual: a loop, a longer prompt, or another model?",
    ),
    _rule(
        "slow",
        enabled=False,
        metric="service.p95_ms",
        above=30_000,
        window="5m",
        minimum_calls=10,
        **{"for": "2m"},
        severity="warning",
        why="Calls take longer than they should.",
    ),
    _rule(
        "unpriced",
        metric="service.unpriced",
        at_least=1,
        window=_QUARTER,
        severity="warning",
        why="What these calls cost is in no sum and in no budget; give the model a price.",
    ),
    _rule(
        "silent",
        metric="service.silent",
        at_least=1,
        window="30m",
        **{"for": "1m"},
        severity="warning",
        why="No call came where there usually are some: does the pipeline still run?",
    ),
    _rule(
        "run-failed",
        metric="run.failed",
        at_least=1,
        keep_for="0s",
        severity="warning",
        why="A run of this pipeline failed; finished layers are kept, so it can be resumed.",
    ),
    _rule(
        "run-overran",
        metric="run.minutes",
        above=30,
        keep_for="0s",
        severity="warning",
        why="A run of this pipeline takes long, and holds a place that others wait for.",
    ),
    _rule(
        "run-stuck",
        metric="run.quiet_minutes",
        above=15,
        keep_for="0s",
        severity="warning",
        why="A run under way has said nothing for long: does its layer still do something?",
    ),
    _rule(
        "ledger-failing",
        metric="ledger.failing",
        at_least=1,
        severity="critical",
        why="What is spent can't be recorded or read.",
    ),
    _rule(
        "state-failing",
        metric="state.failing",
        at_least=1,
        severity="critical",
        why="Limits, breakers and budgets can't be held.",
    ),
)
"""In force without being asked for; ``slow`` needs a threshold of the user's own, so it is off."""

_OPERATORS: Final = ("above", "at_least", "below")


def merged_rules(config: AlertsConfig) -> tuple[AlertRuleConfig, ...]:
    """Return the built-in rules with what *config* changes in them, then its own rules.

    A rule that gives another threshold of any kind leaves nothing of the built-in one's, nor its ``resolve``.
    """
    own = {rule.name: rule for rule in config.rules}
    names = {rule.name for rule in BUILT_IN}
    changed = tuple(_over(rule, own[rule.name]) if rule.name in own else rule for rule in BUILT_IN)
    return (*changed, *(rule for rule in config.rules if rule.name not in names))


def _over(below: AlertRuleConfig, above: AlertRuleConfig) -> AlertRuleConfig:
    said = {name: value for name, value in _facts(above).items() if value is not None}
    if "enabled" not in above.model_fields_set:
        # To give a built-in rule a threshold is to want it.
        said["enabled"] = True
    held = _facts(below)
    if any(name in said for name in _OPERATORS):
        held = {name: value for name, value in held.items() if name not in {*_OPERATORS, "resolve"}}
    return below.model_copy(update={**dict.fromkeys((*_OPERATORS, "resolve"), None), **held, **said})


def _facts(rule: AlertRuleConfig) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in type(rule).model_fields}
