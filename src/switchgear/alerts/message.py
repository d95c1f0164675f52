"""What is said of alerts: sentences for people, and the bodies for programs. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from switchgear.config.alerting import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.alerts.alert import Alert
    from switchgear.alerts.rules import Rule

__all__ = ["Writing", "delivery_id", "headline", "link_of", "signature", "threshold_text", "value_text"]

_SAID: Final = 10
"""Alerts that a message for people says one by one."""

_WORDS: Final = {
    "service.calls": "calls",
    "service.cost_score": "cost above the usual, in spreads",
    "service.cost_usd": "cost",
    "service.error_percent": "error rate",
    "service.error_score": "error rate above the usual, in spreads",
    "service.failed": "failed calls",
    "service.p95_ms": "p95 latency",
    "service.refused": "refused calls",
    "service.unpriced": "calls without a price",
}
_OPERATORS: Final = {"above": "above", "at_least": "from", "below": "below"}


class Writing:
    """Writes messages.

    Args:
        rules: in force, by name; an alert of another rule is written with less.
        link: the address of the dashboard, without a slash at its end.
    """

    def __init__(self, rules: Mapping[str, Rule], link: str) -> None:
        self._rules: Final = rules
        self._link: Final = link

    def item(self, alert: Alert) -> dict[str, Any]:
        """Return *alert* as JSON has it."""
        rule = self._rules.get(alert.rule)
        return {
            "key": alert.key,
            "rule": alert.rule,
            "state": alert.news,
            "severity": alert.severity,
            "labels": self._labels(alert),
            "text": headline(alert, rule),
            "why": "" if rule is None else rule.why,
            "value": alert.value,
            "worst": alert.worst,
            "threshold": alert.threshold,
            "unit": "" if rule is None else rule.unit,
            "since": _instant(alert.fired_at),
            "until": _instant(alert.resolved_at),
            "link": link_of(alert, self._link),
        }

    def webhook(self, alerts: Sequence[Alert], *, now: int) -> bytes:
        """Return the body for a webhook."""
        firing = sum(alert.news == "firing" for alert in alerts)
        body = {
            "version": 1,
            "id": delivery_id(alerts),
            "sent_at": _instant(now),
            "firing": firing,
            "resolved": len(alerts) - firing,
            "alerts": [self.item(alert) for alert in alerts],
        }
        return msgspec.json.encode(body)

    def alertmanager(self, alerts: Sequence[Alert], *, now: int, hold_us: int) -> bytes:
        """Return the body for ``/api/v2/alerts``; a firing alert that nobody repeats is over after *hold_us*."""
        return msgspec.json.encode(
            [
                {
                    "labels": {
                        "alertname": alert.rule,
                        "severity": alert.severity,
                        **{name: value for name, value in self._labels(alert).items() if value},
                    },
                    "annotations": {
                        "summary": headline(alert, self._rules.get(alert.rule)),
                        "description": self._why(alert),
                    },
                    "startsAt": _instant(alert.fired_at),
                    "endsAt": _instant(now + hold_us if alert.news == "firing" else alert.resolved_at),
                    "generatorURL": link_of(alert, self._link),
                }
                for alert in alerts
            ]
        )

    def title(self, alerts: Sequence[Alert]) -> str:
        """Return the subject of a message for people."""
        if len(alerts) == 1:
            alert = alerts[0]
            mark = "Resolved" if alert.news == "resolved" else alert.severity.capitalize()
            return f"{mark}: {headline(alert, self._rules.get(alert.rule))}"
        firing = [alert for alert in alerts if alert.news == "firing"]
        parts = [f"{len(firing)} firing"] * bool(firing)
        parts += [f"{len(alerts) - len(firing)} resolved"] * (len(alerts) > len(firing))
        return f"Switchgear: {', '.join(parts)}"

    def text(self, alerts: Sequence[Alert]) -> str:
        """Return a message for people: the gravest first, and how many there are beside."""
        firing_first = sorted(alerts, key=lambda one: (one.news == "resolved", -SEVERITIES.index(one.severity)))
        said = [self._paragraph(alert) for alert in firing_first[:_SAID]]
        if len(alerts) > _SAID:
            said.append(f"and {len(alerts) - _SAID:,} more: {self._link}/alerts")
        return "\n\n".join(said)

    def _paragraph(self, alert: Alert) -> str:
        mark = "RESOLVED" if alert.news == "resolved" else alert.severity.upper()
        times = f"Since {_words(alert.fired_at)}"
        if alert.news == "resolved":
            times = f"From {_words(alert.fired_at)} to {_words(alert.resolved_at)}"
        lines = [f"{mark}: {headline(alert, self._rules.get(alert.rule))}", f"{times}. {self._why(alert)}".strip()]
        return "\n".join([*lines, link_of(alert, self._link)])

    def _labels(self, alert: Alert) -> dict[str, str]:
        rule = self._rules.get(alert.rule)
        return {**({} if rule is None else rule.labels), **alert.labels}

    def _why(self, alert: Alert) -> str:
        rule = self._rules.get(alert.rule)
        return "" if rule is None else rule.why


def headline(alert: Alert, rule: Rule | None) -> str:
    """Return what is the matter, the value against its threshold, in one sentence."""
    service, pipeline = alert.labels.get("service", ""), alert.labels.get("pipeline", "")
    metric = "" if rule is None else rule.metric
    against = threshold_text(rule, alert.threshold)
    value = value_text(rule, alert.worst if alert.news == "resolved" else alert.value)
    said = {
        "breaker.open": f"The breaker of {service} is open",
        "budget.used_percent": f"Budget {_budget(alert)} is at {value} ({against})",
        "budget.forecast_percent": f"Budget {_budget(alert)} will end at {value} ({against})",
        "limit.used_percent": f"Limit {alert.labels.get('limit', '')} of {service} is at {value} ({against})",
        "run.failed": f"{value} of pipeline {pipeline} failed within an hour",
        "run.minutes": f"A run of pipeline {pipeline} has been going for {value} ({against})",
        "run.quiet_minutes": f"A run of pipeline {pipeline} has said nothing for {value} ({against})",
        "service.silent": f"No calls to {service}, where there usually are some",
        "ledger.failing": "The ledger fails",
        "state.failing": "The live numbers can't be read",
    }.get(metric)
    if said is None:
        said = f"{service or alert.rule}: {_WORDS.get(metric, alert.rule)} {value} ({against})"
    return f"{said}."


def value_text(rule: Rule | None, value: float) -> str:
    """Return *value* with its unit."""
    unit = "" if rule is None else rule.unit
    number = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:,.3g}"  # noqa: PLR2004 - digits
    if unit == "USD":
        return f"${value:,.2f}"
    if unit == "%":
        return f"{value:.1f} %".replace(".0 %", " %")
    return f"{number} {unit}".strip()


def threshold_text(rule: Rule | None, threshold: float) -> str:
    """Return when it fires, e.g. ``fires above 10 %``."""
    words = "at" if rule is None else _OPERATORS[rule.operator]
    value = value_text(rule, threshold).replace("1 calls", "1 call") if threshold == 1 else value_text(rule, threshold)
    return f"fires {words} {value}"


def link_of(alert: Alert, base: str) -> str:
    """Return the address of the page that shows what *alert* is about."""
    if service := alert.labels.get("service"):
        return f"{base}/services/{quote(service, safe='')}"
    if budget := alert.labels.get("budget"):
        return f"{base}/budgets/{quote(budget, safe='')}"
    if pipeline := alert.labels.get("pipeline"):
        return f"{base}/runs?pipeline={quote(pipeline, safe='')}"
    return f"{base}/alerts"


def delivery_id(alerts: Sequence[Alert]) -> str:
    """Return an id that is the same when the same message is sent again, so that a receiver can tell."""
    told = [
        (alert.key, alert.fired_at, alert.news, max((each.at for each in alert.told.values()), default=0))
        for alert in alerts
    ]
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:32]


def signature(secret: str, body: bytes, *, now: int) -> str:
    """Return ``t=SECONDS,v1=HEX``: HMAC-SHA256 of ``SECONDS.BODY`` under *secret*; *now*: epoch microseconds."""
    seconds = now // 1_000_000
    made = hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256)
    return f"t={seconds},v1={made.hexdigest()}"


def _budget(alert: Alert) -> str:
    name, value = alert.labels.get("budget", ""), alert.labels.get("value")
    return f"{name} for {value}" if value else name


def _moment(at: int | None) -> dt.datetime | None:
    return None if at is None else dt.datetime.fromtimestamp(at // 1_000_000, dt.UTC)


def _instant(at: int | None) -> str | None:
    moment = _moment(at)
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _words(at: int | None) -> str:
    moment = _moment(at)
    return "?" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
