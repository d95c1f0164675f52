"""Keeps count during a back-test: each attempt as it was, and as it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.insight.backtest_report import BacktestReport, JobEffect, RuleEffect, Side

if TYPE_CHECKING:
    from switchgear.calls import Reason, Refusal
    from switchgear.ledger.recorded import Recorded

__all__ = ["BacktestTally"]

_FELT_US: Final = 1_000
"""A delay below a millisecond is none."""


class BacktestTally:
    """Sums up a back-test."""

    def __init__(self) -> None:
        self._since: int | None = None
        self._until: int | None = None
        self._attempts = 0
        self._happened = Side(refused={})
        self._replayed = Side(refused={})
        self._newly_refused = 0
        self._not_made = 0
        self._saved = 0
        self._newly_let_out = 0
        self._later = 0
        self._longer_us = 0
        self._rules: Final[dict[tuple[Reason, str | None, str], RuleEffect]] = {}
        self._jobs: Final[dict[str | None, JobEffect]] = {}
        self._unknown: Final[dict[str, int]] = {}

    def asked(self, call: Recorded) -> None:
        """Count *call* as it happened."""
        if self._since is None:
            self._since = call.asked_at
        self._until = call.asked_at
        self._attempts += 1
        job = self._jobs.get(call.job)
        if job is None:
            job = self._jobs[call.job] = JobEffect(job=call.job)
        job.calls += 1
        if call.refused_by is not None:
            self._happened.refused[call.refused_by] = self._happened.refused.get(call.refused_by, 0) + 1
        else:
            _count_out(self._happened, call.waited_us, call.cost)

    def unknown(self, service: str) -> None:
        """Count an attempt of a service that has no rules."""
        self._unknown[service] = self._unknown.get(service, 0) + 1

    def went_out(self, call: Recorded, waited_us: int, rule: tuple[Reason, str] | None, cost: int | None) -> None:
        """Count *call* as let out after *waited_us*; *rule*: the first that made it wait."""
        _count_out(self._replayed, waited_us, cost)
        if call.refused_by is not None:
            self._newly_let_out += 1
            self._replayed.estimated += cost or 0
            return
        longer = waited_us - call.waited_us
        if longer >= _FELT_US:
            self._later += 1
            self._longer_us += longer
            job = self._jobs[call.job]
            job.delayed += 1
            job.longer_us += longer
            if rule is not None:
                self._rule(rule[0], call.service, rule[1]).delayed += 1

    def refused(self, call: Recorded, refusal: Refusal, at: int) -> None:
        """Count *call* as turned away."""
        reason = refusal.reason
        self._replayed.refused[reason] = self._replayed.refused.get(reason, 0) + 1
        effect = self._rule(reason, None if reason in {"budget", "skip"} else call.service, refusal.rule)
        if effect.first_at is None:
            effect.first_at = at
        if call.refused_by is None:
            self._newly_refused += 1
            effect.refused += 1
            effect.saved += call.cost or 0
            self._save(call)

    def not_made(self, call: Recorded) -> None:
        """Count *call* as an attempt that nobody would have made, after an earlier one was turned away."""
        self._not_made += 1
        if call.refused_by is None:
            self._save(call)

    def report(self) -> BacktestReport:
        """Return what has been found."""
        rules = sorted(self._rules.values(), key=lambda one: (-one.refused, -one.delayed, one.rule))
        hurt = [one for one in self._jobs.values() if one.refused or one.delayed]
        hurt.sort(key=lambda one: (-one.refused, -one.longer_us, one.job or ""))
        return BacktestReport(
            since=self._since,
            until=self._until,
            attempts=self._attempts,
            happened=self._happened,
            replayed=self._replayed,
            newly_refused=self._newly_refused,
            not_made=self._not_made,
            saved=self._saved,
            newly_let_out=self._newly_let_out,
            later=self._later,
            longer_us=self._longer_us,
            rules=tuple(rules),
            jobs=tuple(hurt),
            unknown=dict(sorted(self._unknown.items())),
        )

    def _save(self, call: Recorded) -> None:
        self._saved += call.cost or 0
        job = self._jobs[call.job]
        job.refused += 1
        job.saved += call.cost or 0

    def _rule(self, reason: Reason, service: str | None, rule: str) -> RuleEffect:
        key = (reason, service, rule)
        effect = self._rules.get(key)
        if effect is None:
            effect = self._rules[key] = RuleEffect(reason=reason, service=service, rule=rule)
        return effect


def _count_out(side: Side, waited_us: int, cost: int | None) -> None:
    side.went_out += 1
    if cost is None:
        side.unpriced += 1
    else:
        side.cost += cost
    if waited_us >= _FELT_US:
        side.waited += 1
        side.waited_us += waited_us
        side.longest_us = max(side.longest_us, waited_us)
