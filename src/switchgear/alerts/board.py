"""Every alert there is: what changes when values are read, who may not be told, and who is still to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from switchgear.alerts.alert import Ack, Told, key_of, step
from switchgear.alerts.readings import asked_by, values_of
from switchgear.clock import MICROS
from switchgear.config.alerting import SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchgear.alerts.alert import Alert
    from switchgear.alerts.readings import Asked, Reading
    from switchgear.alerts.rules import Rule
    from switchgear.alerts.silences import Silence

__all__ = ["MOST", "Board", "Listener"]

MOST: Final = 20_000
"""Alerts that are kept; of more than that the oldest resolved ones go, and then new ones are not taken."""

_KEPT: Final = 7 * 24 * 3600 * MICROS
_LATE: Final = 3600 * MICROS
"""For how long somebody who missed that an alert fired is told that it is over: a new channel hears no old stories."""

_SYMPTOMS: Final = frozenset(
    {"service.error_percent", "service.error_score", "service.failed", "service.p95_ms", "service.silent"}
)
"""What an open breaker explains."""


class Listener(NamedTuple):
    """A channel as the board knows it: whom *severity* and above is for, and whether it hears of the end."""

    name: str
    severity: Severity
    resolved: bool


class Board:
    """Alerts and silences. It does no I/O and has no lock: whoever owns it holds one.

    Args:
        rules: in force.
        repeat_us: how long until a channel is told again of what still fires and nobody has acknowledged.
        alerts: as they were recorded last.
        silences: likewise.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        repeat_us: int,
        alerts: Iterable[Alert] = (),
        silences: Iterable[Silence] = (),
    ) -> None:
        self.rules: Final = {rule.name: rule for rule in rules}
        self.dropped = 0
        self._repeat: Final = repeat_us
        self._alerts: dict[str, Alert] = {alert.key: alert for alert in alerts}
        self._silences: dict[str, Silence] = {silence.id: silence for silence in silences}

    def adopt(self, rules: Sequence[Rule]) -> None:
        """Go by *rules* from now on; an alert of one that is no more is over at the next look."""
        self.rules.update({rule.name: rule for rule in rules})
        for name in self.rules.keys() - {rule.name for rule in rules}:
            del self.rules[name]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All of them."""
        return tuple(self._alerts.values())

    @property
    def silences(self) -> tuple[Silence, ...]:
        """Those that were not taken back, over or not."""
        return tuple(self._silences.values())

    def get(self, key: str) -> Alert | None:
        """Return the alert of that identity; None: there is none."""
        return self._alerts.get(key)

    def evaluate(self, readings: Mapping[Asked, Sequence[Reading]], *, now: int) -> list[Alert]:
        """Take *readings* in; return the alerts that now fire or are over, and did not before."""
        before = dict(self._alerts)
        for rule in self.rules.values():
            if asked_by(rule) in readings:
                self._apply(rule, values_of(rule, readings), now)
        self._end_without_rule(now)
        self._mute(now)
        self._forget(now)
        return [
            alert
            for key, alert in self._alerts.items()
            if alert.state != "pending" and self._is_news(before.get(key), alert)
        ]

    def due(self, listener: Listener, *, now: int, limit: int) -> list[Alert]:
        """Return alerts that *listener* is to be told of, the gravest and then the oldest first, at most *limit*."""
        found = [alert for alert in self._alerts.values() if self._is_due(alert, listener, now)]
        found.sort(key=lambda alert: (-SEVERITIES.index(alert.severity), alert.fired_at or 0, alert.key))
        return found[:limit]

    def tell(self, channel: str, alerts: Iterable[Alert], *, at: int, failed: bool = False) -> list[Alert]:
        """Note that *channel* has heard of *alerts* as they are there; return them as they are now."""
        changed: list[Alert] = []
        for sent in alerts:
            alert = self._alerts.get(sent.key)
            if alert is None or sent.fired_at is None:
                continue
            told = Told(episode=sent.fired_at, state=sent.news, at=at, failed=failed)
            self._put(msgspec.structs.replace(alert, told={**alert.told, channel: told}), changed)
        return changed

    def acknowledge(self, key: str, ack: Ack) -> Alert | None:
        """Note that somebody knows of the alert *key*; None: nothing of that identity is firing or pending."""
        alert = self._alerts.get(key)
        if alert is None or alert.state == "resolved":
            return None
        self._alerts[key] = changed = msgspec.structs.replace(alert, ack=ack)
        return changed

    def restore(self, alerts: Iterable[Alert], silences: Iterable[Silence]) -> None:
        """Go on from what another process has recorded: what is here besides is forgotten."""
        self._alerts = {alert.key: alert for alert in alerts}
        self._silences = {silence.id: silence for silence in silences}

    def hear(self, alerts: Iterable[Alert], silences: Iterable[Silence], *, now: int) -> None:
        """Take over what people have said to other processes: silences, and that they know of an alert."""
        self._silences = {silence.id: silence for silence in silences}
        for said in alerts:
            alert = self._alerts.get(said.key)
            if alert is not None and said.ack and not alert.ack and alert.fired_at == said.fired_at:
                self._alerts[said.key] = msgspec.structs.replace(alert, ack=said.ack)
        self._mute(now)

    def silence(self, silence: Silence, *, now: int) -> None:
        """Have *silence* in force."""
        self._silences[silence.id] = silence
        self._mute(now)

    def unsilence(self, number: str, *, now: int) -> Silence | None:
        """Take a silence back; None: there is none of that id."""
        found = self._silences.pop(number, None)
        self._mute(now)
        return found

    def _apply(self, rule: Rule, values: Iterable[tuple[dict[str, str], float | None]], now: int) -> None:
        seen: set[str] = set()
        for labels, value in values:
            key = key_of(rule.name, labels)
            seen.add(key)
            self._step(key, rule, labels, value, now)
        for key, alert in list(self._alerts.items()):
            # A subject that is no more has nothing that is bad.
            if alert.rule == rule.name and key not in seen and alert.state != "resolved":
                self._step(key, rule, alert.labels, None, now)

    def _step(self, key: str, rule: Rule, labels: dict[str, str], value: float | None, now: int) -> None:
        old = self._alerts.get(key)
        new = step(old, rule, labels, value, now=now)
        if new is None:
            self._alerts.pop(key, None)
        elif old is None and len(self._alerts) >= MOST and not self._make_room():
            self.dropped += 1
        else:
            self._alerts[key] = new

    def _make_room(self) -> bool:
        over = [alert for alert in self._alerts.values() if alert.state == "resolved"]
        if not over:
            return False
        del self._alerts[min(over, key=lambda alert: alert.resolved_at or 0).key]
        return True

    def _end_without_rule(self, now: int) -> None:
        for key, alert in list(self._alerts.items()):
            if alert.rule not in self.rules and alert.state != "resolved":
                if alert.state == "pending":
                    del self._alerts[key]
                else:
                    self._alerts[key] = msgspec.structs.replace(alert, state="resolved", resolved_at=now)

    def _mute(self, now: int) -> None:
        in_force = [silence for silence in self._silences.values() if now < silence.until]
        firing = [alert for alert in self._alerts.values() if alert.state == "firing"]
        open_breakers = {
            alert.labels.get("service"): alert
            for alert in firing
            if (rule := self.rules.get(alert.rule)) is not None and rule.metric == "breaker.open"
        }
        stricter = _by_subject(firing, self.rules)
        for alert in firing:
            why = next((f"silence {one.id}" for one in in_force if one.covers(alert, now)), None)
            why = why or self._explained(alert, open_breakers, stricter)
            owed = alert.owed or why is None
            if (alert.muted_by, alert.owed) != (why, owed):
                self._alerts[alert.key] = msgspec.structs.replace(alert, muted_by=why, owed=owed)

    def _explained(
        self,
        alert: Alert,
        open_breakers: Mapping[str | None, Alert],
        firing: Mapping[tuple[str, tuple[tuple[str, str], ...]], list[Alert]],
    ) -> str | None:
        """Return the identity of the alert that says it all."""
        rule = self.rules.get(alert.rule)
        if rule is None:
            return None
        if rule.metric in _SYMPTOMS and (cause := open_breakers.get(alert.labels.get("service"))) is not None:
            return cause.key
        for other in firing.get((rule.metric, tuple(sorted(alert.labels.items()))), ()):
            if self.rules[other.rule].stricter(rule):
                return other.key
        return None

    def _is_due(self, alert: Alert, listener: Listener, now: int) -> bool:
        if alert.fired_at is None or SEVERITIES.index(alert.severity) < SEVERITIES.index(listener.severity):
            return False
        told = alert.told.get(listener.name)
        if told is not None and told.episode != alert.fired_at:
            told = None
        if alert.news == "resolved":
            knows = told is not None and told.state == "firing" and not told.failed
            missed = told is None and alert.owed and now - (alert.resolved_at or 0) <= _LATE
            return listener.resolved and (knows or missed)
        if alert.muted_by is not None:
            return False
        return told is None or (alert.ack is None and now - told.at >= self._repeat)

    @staticmethod
    def _is_news(before: Alert | None, alert: Alert) -> bool:
        """Return whether a restart would have to know: the state, or who is owed a message, is another."""
        if before is None:
            return True
        return (before.state, before.fired_at, before.owed) != (alert.state, alert.fired_at, alert.owed)

    def _forget(self, now: int) -> None:
        for key, alert in list(self._alerts.items()):
            if alert.state == "resolved" and now - (alert.resolved_at or 0) > _KEPT:
                del self._alerts[key]
        for number, silence in list(self._silences.items()):
            if now - silence.until > _KEPT:
                del self._silences[number]

    def _put(self, alert: Alert, changed: list[Alert]) -> None:
        self._alerts[alert.key] = alert
        changed.append(alert)


def _by_subject(
    firing: Iterable[Alert], rules: Mapping[str, Rule]
) -> dict[tuple[str, tuple[tuple[str, str], ...]], list[Alert]]:
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Alert]] = {}
    for alert in firing:
        if (rule := rules.get(alert.rule)) is not None:
            found.setdefault((rule.metric, tuple(sorted(alert.labels.items()))), []).append(alert)
    return found
