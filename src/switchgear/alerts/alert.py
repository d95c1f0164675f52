"""One alert through its states: inactive, pending, firing, resolved. Pure: time and verdict come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from switchgear.config.alerting import Severity

if TYPE_CHECKING:
    from switchgear.alerts.rules import Rule

__all__ = ["Ack", "Alert", "AlertState", "Told", "key_of", "step"]

AlertState = Literal["pending", "firing", "resolved"]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel has heard of an alert last.

    Attributes:
        episode: the ``fired_at`` of what it was told of.
        at: when, in epoch microseconds.
        failed: the channel was given up on for this message.
    """

    episode: int
    state: Literal["firing", "resolved"]
    at: int
    failed: bool = False


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody knows of it, so nobody is told again of the same episode."""

    by: str
    note: str
    at: int


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds, or held, for a subject. Who it is says *key*: no number is in that.

    Instants are epoch microseconds.

    Attributes:
        labels: the subject.
        since: from when on the value has been bad.
        fired_at: when the last episode began; *resolved_at*: when it ended.
        good_since: from when on it has been good again, although the alert still holds.
        value: the last bad one; *worst*: the worst of the episode.
        owed: somebody should have been told that it fires, so somebody is told that it is over.
        told: by channel.
        muted_by: why nobody is told at present: a silence, or another alert; None: they are.
    """

    rule: str
    labels: dict[str, str]
    state: AlertState
    severity: Severity
    since: int
    value: float
    worst: float
    threshold: float
    fired_at: int | None = None
    resolved_at: int | None = None
    good_since: int | None = None
    owed: bool = False
    told: dict[str, Told] = {}
    ack: Ack | None = None
    muted_by: str | None = None

    @property
    def news(self) -> Literal["firing", "resolved"]:
        """What there is to be told of it; one that is pending again after it was over is over."""
        return "firing" if self.state == "firing" else "resolved"

    @property
    def key(self) -> str:
        """Who it is."""
        return key_of(self.rule, self.labels)


def key_of(rule: str, labels: dict[str, str]) -> str:
    """Return the identity of the alert of *rule* for the subject with *labels*: one line of text."""
    inside = ",".join(f"{name}={labels[name]}" for name in sorted(labels))
    return f"{rule}{{{inside}}}" if inside else rule


def step(alert: Alert | None, rule: Rule, labels: dict[str, str], value: float | None, *, now: int) -> Alert | None:
    """Return what becomes of *alert* when *value* is read; None: nothing is wrong and nothing was.

    Args:
        alert: as it was; None: inactive.
        rule: the rule.
        labels: the subject.
        value: what was read; None: there is no value.
        now: epoch microseconds; it may go back, and nothing is undone by that.
    """
    bad = rule.is_bad(value, firing=alert is not None and alert.state == "firing")
    if alert is None or alert.state == "resolved":
        return _begun(alert, rule, labels, value, now) if bad and value is not None else alert
    if not bad or value is None:
        if alert.state == "pending":
            return None if alert.resolved_at is None else msgspec.structs.replace(alert, state="resolved")
        return _good(alert, rule, now)
    worst = min(alert.worst, value) if rule.operator == "below" else max(alert.worst, value)
    held = msgspec.structs.replace(
        alert, value=value, worst=worst, good_since=None, threshold=rule.threshold, severity=rule.severity
    )
    if held.state == "pending" and now - held.since >= rule.hold_us:
        return msgspec.structs.replace(
            held, state="firing", fired_at=_after(alert, now), resolved_at=None, owed=False, ack=None
        )
    return held


def _begun(alert: Alert | None, rule: Rule, labels: dict[str, str], value: float, now: int) -> Alert:
    begun = Alert(
        rule=rule.name,
        labels=labels,
        state="pending" if rule.hold_us else "firing",
        severity=rule.severity,
        since=now,
        value=value,
        worst=value,
        threshold=rule.threshold,
        # What was told of the episode before tells one episode from the next.
        told={} if alert is None else alert.told,
    )
    if begun.state == "firing":
        return msgspec.structs.replace(begun, fired_at=_after(alert, now))
    if alert is None:
        return begun
    # Somebody may still have to hear that the episode before is over.
    return msgspec.structs.replace(begun, fired_at=alert.fired_at, resolved_at=alert.resolved_at, owed=alert.owed)


def _after(alert: Alert | None, now: int) -> int:
    """Return *now*, or a later instant if the alert was told of at that one before: an episode has one start."""
    last = max((told.episode for told in alert.told.values()), default=-1) if alert is not None else -1
    return max(now, last + 1)


def _good(alert: Alert, rule: Rule, now: int) -> Alert:
    since = now if alert.good_since is None else alert.good_since
    if now - since >= rule.keep_us:
        return msgspec.structs.replace(alert, state="resolved", resolved_at=now, good_since=None)
    return msgspec.structs.replace(alert, good_since=since)
