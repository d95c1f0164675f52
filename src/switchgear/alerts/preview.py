"""How often a rule would have fired: the same board, fed with the quarters of an hour that the ledger has. Pure."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.alerts.board import Board
from switchgear.alerts.past import LOOKED_BACK_US, QUARTER_US, Quarter, cost_score, error_score, usual
from switchgear.alerts.readings import Reading, asked_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.alerts.readings import Asked
    from switchgear.alerts.rules import Rule

__all__ = ["PREVIEWED", "Fired", "preview"]

PREVIEWED: Final = frozenset(
    {"service.calls", "service.cost_score", "service.cost_usd", "service.error_percent", "service.error_score",
     "service.failed"}
)  # fmt: skip
"""Metrics that quarters of an hour tell; of the others only the moment knows."""

_NANO: Final = 1_000_000_000


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that would have fired. *at*: epoch microseconds."""

    rule: str
    labels: dict[str, str]
    at: int
    value: float


def preview(rules: Sequence[Rule], past: Mapping[str, Sequence[Quarter]], *, since: int, until: int) -> list[Fired]:
    """Return when *rules* would have fired between *since* and *until*, looked at once in 15 minutes.

    A window is taken as the whole quarters that it touches. What comes before *since* is only compared with.

    Args:
        rules: those of metrics that are not *PREVIEWED* are left out.
        past: the quarters of each service, in order; one without calls may be missing.
        since: epoch microseconds.
        until: likewise.
    """
    told = [rule for rule in rules if rule.metric in PREVIEWED]
    board = Board(told, repeat_us=0)
    starts = {service: [each.start for each in quarters] for service, quarters in past.items()}
    found: list[Fired] = []
    for now in range(since - since % QUARTER_US + QUARTER_US, until + 1, QUARTER_US):
        readings: dict[Asked, Sequence[Reading]] = {
            asked_by(rule): [
                _reading(rule, service, quarters, starts[service], now) for service, quarters in past.items()
            ]
            for rule in told
        }
        found += [
            Fired(rule=alert.rule, labels=alert.labels, at=now, value=alert.value)
            for alert in board.evaluate(readings, now=now)
            if alert.state == "firing" and alert.fired_at == now
        ]
    return found


def _reading(rule: Rule, service: str, quarters: Sequence[Quarter], starts: Sequence[int], now: int) -> Reading:
    size = -(-(rule.window_us or QUARTER_US) // QUARTER_US) * QUARTER_US
    end = bisect_left(starts, now)
    window = quarters[bisect_left(starts, now - size) : end]
    answered, failed = sum(each.answered for each in window), sum(each.failed for each in window)
    cost = sum(each.cost for each in window)
    labels = {"service": service}
    percent = 100 * failed / answered if answered else None
    if rule.metric == "service.error_percent":
        return Reading(labels, percent, answered)
    if rule.metric in {"service.cost_score", "service.error_score"}:
        before = quarters[bisect_left(starts, now - LOOKED_BACK_US) : bisect_left(starts, now - size)]
        if answered < rule.minimum_calls or not window:
            return Reading(labels, None, answered)
        past = usual(before, now=now)
        score = cost_score(cost, past, window_us=size) if rule.metric == "service.cost_score" else None
        if rule.metric == "service.error_score" and percent is not None:
            score = error_score(percent, past)
        return Reading(labels, score, answered)
    plain = {"service.calls": float(answered), "service.cost_usd": cost / _NANO, "service.failed": float(failed)}
    return Reading(labels, plain[rule.metric], answered)
