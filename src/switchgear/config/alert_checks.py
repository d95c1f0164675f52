"""What is wrong with ``[alerts]`` although every type is right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from switchgear.config.alert_rules import BUILT_IN, merged_rules
from switchgear.config.alerting import METRICS
from switchgear.config.kinds import CHANNELS, kind_problems
from switchgear.config.problems import Problem, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchgear.config.alerting import AlertChannelConfig, AlertRuleConfig, AlertsConfig, Metric
    from switchgear.config.problems import KeyPath

__all__ = ["alert_problems"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATORS: Final = ("above", "at_least", "below")
_OURS: Final = frozenset({"alertname", "severity", "service", "budget", "value", "limit"})
_LONGEST_WINDOW: Final = 24 * 3600 * 1_000_000


def alert_problems(alerts: AlertsConfig) -> Iterator[Problem]:
    """Yield what is wrong with *alerts*."""
    for key in ("interval", "repeat"):
        if getattr(alerts, key) == 0:
            yield Problem(("alerts", key), "must be longer than 0s")
    if alerts.link is not None:
        yield from _address(("alerts", "link"), alerts.link)
    merged = {rule.name: rule for rule in merged_rules(alerts)}
    yield from _twice("rules", (rule.name for rule in alerts.rules))
    for at, rule in enumerate(alerts.rules):
        yield from _rule(("alerts", "rules", at), rule, merged[rule.name])
    yield from _twice("channels", (channel.name for channel in alerts.channels))
    for at, channel in enumerate(alerts.channels):
        yield from _channel(("alerts", "channels", at), channel)


def _twice(key: str, names: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, name in enumerate(names):
        path = ("alerts", key, at, "name")
        if name in seen:
            yield Problem(path, f"a second one of the name {shown(name)}")
        elif not _NAME.fullmatch(name):
            yield Problem(path, "is made of a-z, 0-9, _ and -, and begins with a letter or digit")
        seen.add(name)


def _rule(path: KeyPath, said: AlertRuleConfig, rule: AlertRuleConfig) -> Iterator[Problem]:
    if rule.metric is None:
        near = nearest(rule.name, (one.name for one in BUILT_IN))
        yield Problem(path, "metric is missing, and no built-in rule has this name", near)
        return
    metric = METRICS.get(rule.metric)
    if metric is None:
        known = ", ".join(METRICS)
        text = f"unknown metric {shown(rule.metric)}; known are {known}"
        yield Problem((*path, "metric"), text, nearest(rule.metric, METRICS))
        return
    yield from _threshold(path, rule)
    yield from _resolve(path, rule)
    yield from _match(path, said, metric)
    yield from _window(path, said, rule, metric)
    for label in said.labels or ():
        if label in _OURS or not _LABEL.fullmatch(label):
            yield Problem((*path, "labels", label), "is not the name of a label, or one of Switchgear's own")


def _threshold(path: KeyPath, rule: AlertRuleConfig) -> Iterator[Problem]:
    given = [name for name in _OPERATORS if getattr(rule, name) is not None]
    if not given:
        yield Problem(path, "a threshold is missing: above, at_least or below")
    elif len(given) > 1:
        yield Problem((*path, given[1]), f"{given[0]} is set too; keep one of the two")


def _match(path: KeyPath, said: AlertRuleConfig, metric: Metric) -> Iterator[Problem]:
    for label in said.match or ():
        if label not in metric.labels:
            known = ", ".join(metric.labels) or "none"
            near = nearest(label, metric.labels)
            yield Problem((*path, "match", label), f"the metric has no such label; it has {known}", near)


def _window(path: KeyPath, said: AlertRuleConfig, rule: AlertRuleConfig, metric: Metric) -> Iterator[Problem]:
    for key in ("window", "minimum_calls"):
        if getattr(said, key) is not None and not metric.windowed:
            yield Problem((*path, key), f"of no effect on {rule.metric}, which has no window")
    if metric.windowed and rule.window is None:
        yield Problem(path, 'window is missing, such as "5m"')
    elif rule.window is not None and not 0 < rule.window <= _LONGEST_WINDOW:
        yield Problem((*path, "window"), "must be longer than 0s and at most 24h")


def _resolve(path: KeyPath, rule: AlertRuleConfig) -> Iterator[Problem]:
    if rule.resolve is None:
        return
    top = rule.above if rule.above is not None else rule.at_least
    if top is not None and rule.resolve > top:
        yield Problem((*path, "resolve"), f"must be at most the threshold, {top:g}, or it would never hold")
    if rule.below is not None and rule.resolve < rule.below:
        yield Problem((*path, "resolve"), f"must be at least the threshold, {rule.below:g}, or it would never hold")


def _channel(path: KeyPath, channel: AlertChannelConfig) -> Iterator[Problem]:
    if (channel.url is None) == (channel.url_env is None):
        yield Problem(path, "needs one of url and url_env, and not both")
    yield from kind_problems((*path, "kind"), channel.kind, CHANNELS, "switchgear.channels")
    for key in ("url_env", "secret_env"):
        value = getattr(channel, key)
        if value is not None and not _VARIABLE.fullmatch(value):
            # What stands there may be the secret itself, so it is not repeated.
            yield Problem((*path, key), "must be the name of an environment variable, not its value")
    if channel.kind != "webhook" and channel.secret_env is not None:
        yield Problem((*path, "secret_env"), "only a webhook is signed")
    if channel.url is None:
        return
    if channel.kind not in CHANNELS:
        return  # what its address looks like, the plugin knows
    if channel.kind == "apprise":
        yield Problem((*path, "url"), "an address for apprise holds its secrets; name its variable as url_env")
    else:
        yield from _address((*path, "url"), channel.url)


def _address(path: KeyPath, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        # It may hold a secret, so it is not repeated.
        yield Problem(path, 'must be an address such as "https://hooks.example.com/alerts"')
    elif parts.username is not None or parts.password is not None:
        yield Problem(path, "must not hold a user or password; name a variable with the whole address as url_env")
