"""Alerts, silences, rules and channels as everybody outside sees them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from switchgear.alerts.channels import place_of
from switchgear.alerts.message import headline, link_of, threshold_text, value_text
from switchgear.insight.days import from_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.alerts.alert import Alert
    from switchgear.alerts.desk import AlertDesk
    from switchgear.alerts.rules import Rule
    from switchgear.alerts.silences import Silence

__all__ = [
    "AlertBoard",
    "AlertItem",
    "AlertRuleItem",
    "ChannelItem",
    "DeadItem",
    "DeliveryItem",
    "SilenceItem",
    "board_of",
    "silence_item",
]

_ORDER = {"firing": 0, "pending": 1, "resolved": 2}


class DeliveryItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has heard last; *failed*: it was given up on."""

    channel: str
    state: str
    at: dt.datetime
    failed: bool


class AlertItem(msgspec.Struct, frozen=True, kw_only=True):
    """One alert.

    Attributes:
        key: who it is: the rule and its subject.
        state: ``firing``, ``pending`` or ``resolved`` (of the last seven days).
        since: from when on the value was bad; *fired_at*: when it began to fire.
        value: the last bad one; *worst*: the worst; *threshold*: where it fires.
        muted_by: a silence, or the alert that explains it.
    """

    key: str
    rule: str
    state: str
    severity: str
    labels: dict[str, str]
    text: str
    why: str
    value: float
    worst: float
    threshold: float
    value_text: str
    threshold_text: str
    since: dt.datetime
    fired_at: dt.datetime | None
    resolved_at: dt.datetime | None
    muted_by: str | None
    acknowledged_by: str | None
    note: str | None
    link: str
    deliveries: tuple[DeliveryItem, ...]


class AlertRuleItem(msgspec.Struct, frozen=True, kw_only=True):
    """One rule in force; *window*, *hold* (its `for`) and *keep* in seconds."""

    name: str
    metric: str
    threshold: str
    severity: str
    window: float | None
    hold: float
    keep: float
    match: dict[str, str]
    why: str
    firing: int
    pending: int


class SilenceItem(msgspec.Struct, frozen=True, kw_only=True):
    """One silence; *active*: it is in force."""

    id: str
    matchers: dict[str, str]
    since: dt.datetime
    until: dt.datetime
    by: str
    reason: str
    active: bool


class ChannelItem(msgspec.Struct, frozen=True, kw_only=True):
    """One channel and how it does; *place* holds no secret."""

    name: str
    kind: str
    place: str
    severity: str
    sent: int
    given_up: int
    failures: int
    last_sent_at: dt.datetime | None
    last_error: str | None
    next_try_at: dt.datetime | None


class DeadItem(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up on: about how many *alerts*, the *first* of them, and why."""

    channel: str
    at: dt.datetime
    alerts: int
    first: str
    error: str


class AlertBoard(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about alerts. All are on one page: *next* is null.

    *leads* false: another process looks and tells; this one shows what that has recorded.
    """

    items: tuple[AlertItem, ...]
    firing: int
    pending: int
    dropped: int
    rules: tuple[AlertRuleItem, ...]
    silences: tuple[SilenceItem, ...]
    channels: tuple[ChannelItem, ...]
    dead_letters: tuple[DeadItem, ...]
    leads: bool = True
    next: str | None = None

    def in_state(self, state: str) -> tuple[AlertItem, ...]:
        """Return the alerts that are in *state*."""
        return tuple(item for item in self.items if item.state == state)


def board_of(desk: AlertDesk) -> AlertBoard:
    """Return what *desk* knows, those that fire first and the newest of them first."""
    alerts, silences = desk.board
    rules, now = desk.rules, desk.now()
    ordered = sorted(alerts, key=lambda one: (_ORDER[one.state], -(one.resolved_at or one.fired_at or one.since)))
    return AlertBoard(
        items=tuple(_alert(one, rules.get(one.rule)) for one in ordered),
        firing=sum(one.state == "firing" for one in alerts),
        pending=sum(one.state == "pending" for one in alerts),
        dropped=desk.dropped,
        rules=tuple(_rule(rule, alerts) for rule in rules.values()),
        silences=tuple(silence_item(one, now=now) for one in sorted(silences, key=lambda each: -each.until)),
        channels=_channels(desk),
        dead_letters=tuple(
            DeadItem(channel=one.channel, at=from_micros(one.at), alerts=one.alerts, first=one.first, error=one.error)
            for one in desk.dead_letters
        ),
        leads=desk.leads,
    )


def silence_item(silence: Silence, *, now: int) -> SilenceItem:
    """Return *silence* as it is shown."""
    return SilenceItem(
        id=silence.id,
        matchers=silence.matchers,
        since=from_micros(silence.at),
        until=from_micros(silence.until),
        by=silence.by,
        reason=silence.reason,
        active=now < silence.until,
    )


def _alert(alert: Alert, rule: Rule | None) -> AlertItem:
    return AlertItem(
        key=alert.key,
        rule=alert.rule,
        state=alert.state,
        severity=alert.severity,
        labels=alert.labels,
        text=headline(alert, rule),
        why="" if rule is None else rule.why,
        value=alert.value,
        worst=alert.worst,
        threshold=alert.threshold,
        value_text=value_text(rule, alert.value),
        threshold_text=threshold_text(rule, alert.threshold),
        since=from_micros(alert.since),
        fired_at=_instant(alert.fired_at),
        resolved_at=_instant(alert.resolved_at),
        muted_by=alert.muted_by if alert.state == "firing" else None,
        acknowledged_by=None if alert.ack is None else alert.ack.by,
        note=None if alert.ack is None else alert.ack.note,
        link=link_of(alert, ""),
        deliveries=tuple(
            DeliveryItem(channel=name, state=told.state, at=from_micros(told.at), failed=told.failed)
            for name, told in sorted(alert.told.items())
            if told.episode == alert.fired_at
        ),
    )


def _rule(rule: Rule, alerts: Sequence[Alert]) -> AlertRuleItem:
    states = [alert.state for alert in alerts if alert.rule == rule.name]
    return AlertRuleItem(
        name=rule.name,
        metric=rule.metric,
        threshold=threshold_text(rule, rule.threshold),
        severity=rule.severity,
        window=None if rule.window_us is None else rule.window_us / 1e6,
        hold=rule.hold_us / 1e6,
        keep=rule.keep_us / 1e6,
        match=rule.match,
        why=rule.why,
        firing=states.count("firing"),
        pending=states.count("pending"),
    )


def _channels(desk: AlertDesk) -> tuple[ChannelItem, ...]:
    found = []
    for channel in desk.config.channels:
        courier = desk.couriers.get(channel.name)
        if courier is None:
            continue
        view = courier.view
        found.append(
            ChannelItem(
                name=channel.name,
                kind=channel.kind,
                place=place_of(channel),
                severity=channel.severity,
                sent=view.sent,
                given_up=view.given_up,
                failures=view.failures,
                last_sent_at=_instant(view.last_sent_at),
                last_error=view.last_error,
                next_try_at=_instant(view.next_try_at),
            )
        )
    return tuple(found)


def _instant(at: int | None) -> dt.datetime | None:
    return None if at is None else from_micros(at)
