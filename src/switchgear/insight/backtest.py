"""Recorded calls played again, through other limits, breakers and budgets, in virtual time.

The rules are the very ones of the gate: a *MemoryState* whose clock is the calls' own. Things happen in
order of time: a call is asked for, waits or is refused, goes out, and is settled when it ended. What the
ledger does not know is assumed, and said so in docs/ledger.md.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.calls import Attribution, Call, Outcome, Refusal
from switchgear.clock import Moment
from switchgear.insight.backtest_past import Past
from switchgear.insight.backtest_tally import BacktestTally
from switchgear.policies.budget import BudgetRule, matching
from switchgear.state.base import Account, AdmissionRequest, Waiting
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.wire.outcomes import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchgear.calls import Verdict
    from switchgear.insight.backtest_report import BacktestReport
    from switchgear.ledger.recorded import Recorded
    from switchgear.state.base import Admission

__all__ = ["Backtest", "WhatIf"]

_NEWS: Final = 2_000
_REMEMBERED: Final = 50_000

_OUTCOMES: Final = {
    "success": Outcome(status="ok", verdict="success"),
    "failure": Outcome(status="failed", verdict="failure"),
    "neutral": Outcome(status="cancelled", verdict="neutral"),
}
"""What a recorded attempt says about its service. Without a usage the tokens that were asked for count."""


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that calls are played through.

    Attributes:
        max_wait_us: of each service, the longest that a call waits.
        refuse_unpriced: services that turn away calls without a price.
    """

    services: Mapping[str, ServiceRules]
    budgets: tuple[BudgetRule, ...]
    max_wait_us: Mapping[str, int]
    refuse_unpriced: frozenset[str]


class _Asking:
    """An attempt on its way through the gate."""

    __slots__ = ("call", "cost", "duration_us", "number", "request", "rule", "slot")

    def __init__(self, number: int, call: Recorded, cost: int | None, duration_us: int) -> None:
        self.number: Final = number
        self.call: Final = call
        self.cost: Final = cost
        self.duration_us: Final = duration_us
        self.request: AdmissionRequest
        self.slot: int | None = None
        self.rule: str | None = None


class _Typical:
    """What calls of one service and model came to so far: for those that never went out."""

    __slots__ = ("calls", "cost", "duration_us", "tokens")

    def __init__(self) -> None:
        self.calls = self.tokens = self.cost = self.duration_us = 0


class Backtest:
    """One replay.

    Args:
        rules: the other rules.
        since: attempts asked for before this epoch microsecond are not played: they only fill windows and
            budgets, as they did in fact. None: all are played, and everything starts empty.
    """

    def __init__(self, rules: WhatIf, *, since: int | None = None) -> None:
        self._rules: Final = rules
        self._since: Final = since
        self._tally: Final = BacktestTally()
        # By number, so that a request knows nothing of whoever asks: rings of objects are slow to free.
        self._waiting: Final[dict[int, _Asking]] = {}
        self._heap: list[tuple[int, int, _Asking, Admission | int]] = []
        self._order = 0
        self._now = 0
        self._state: MemoryState | None = None
        self._past: Final = Past(rules.budgets, since or 0)
        self._accounts: dict[tuple[str | None, ...], tuple[Account, ...]] = {}
        named = {name for rule in rules.budgets for name in (*(key for key, _ in rule.match), rule.each) if name}
        self._named: Final = tuple(name for name in ("service", "model", "job", "run", "layer", "key") if name in named)
        self._tagged: Final = any(name.startswith("tag.") for name in named)
        self._typical: Final[dict[tuple[str, str | None], _Typical]] = {}
        self._stopped: Final[set[str]] = set()

    def run(self, calls: Iterable[Recorded], *, progress: Callable[[int], None] = lambda _: None) -> BacktestReport:
        """Play *calls*, which are in the order of asking, and return what comes of it.

        *progress* is told how many more were played.
        """
        since, heap, news = self._since, self._heap, 0
        for call in calls:
            news += 1
            if news == _NEWS:
                progress(news)
                news = 0
            if call.service not in self._rules.services:
                self._tally.unknown(call.service)
                continue
            if since is not None and call.asked_at < since:
                self._past.add(call, self._accounts_of(call))
                continue
            if self._state is None:
                self._state = self._begin(call.asked_at if since is None else since)
            while heap and heap[0][0] <= call.asked_at:
                self._step()
            self._now = call.asked_at
            self._arrive(call)
        while heap:
            self._step()
        progress(news)
        return self._tally.report()

    def _begin(self, at: int) -> MemoryState:
        moment = Moment(at, at)
        state = MemoryState(services=self._rules.services, budgets=self._rules.budgets, started=moment)
        state.restore(self._past.history(), moment)
        return state

    def _arrive(self, call: Recorded) -> None:
        self._tally.asked(call)
        if call.call_id in self._stopped:
            self._tally.not_made(call)
            return
        if call.worst is None and call.service in self._rules.refuse_unpriced:
            refusal = Refusal(reason="unpriced", rule="unpriced", service=call.service, message="no price is known")
            self._refuse(call, refusal)
            return
        tokens, cost, duration_us = self._figures(call)
        self._order += 1
        asking = _Asking(self._order, call, cost, duration_us)
        asking.request = AdmissionRequest(
            service=call.service,
            tokens=tokens,
            cost=call.worst,
            accounts=self._accounts_of(call),
            max_wait_us=self._rules.max_wait_us[call.service],
            waker=partial(self._wake, self._order),
        )
        self._ask(asking)

    def _ask(self, asking: _Asking) -> None:
        assert self._state is not None  # noqa: S101 - begun with the first call
        now = self._now
        answer = self._state.admit(asking.request, Moment(now, now), asking.slot)
        if isinstance(answer, Refusal):
            self._waiting.pop(asking.number, None)
            self._refuse(asking.call, answer)
        elif isinstance(answer, Waiting):
            asking.slot = answer.slot
            self._waiting[asking.number] = asking
            asking.rule = asking.rule or answer.rule
            self._push(max(answer.go_at, now), asking, answer.slot)
        else:
            self._waiting.pop(asking.number, None)
            rule: tuple[Literal["rate_limit"], str] | None = (
                None if asking.rule is None else ("rate_limit", asking.rule)
            )
            self._tally.went_out(asking.call, now - asking.call.asked_at, rule, asking.cost)
            self._push(now + asking.duration_us, asking, answer)

    def _step(self) -> None:
        """Let the next thing happen: a waiting call asks again, or one that is out ends."""
        at, _, asking, what = heapq.heappop(self._heap)
        self._now = max(self._now, at)
        if isinstance(what, int):
            if asking.slot == what and asking.number in self._waiting:
                self._ask(asking)
            return
        assert self._state is not None  # noqa: S101 - as above
        outcome = _OUTCOMES[_verdict(asking.call)]
        self._state.settle(what, outcome, asking.cost, Moment(self._now, self._now))

    def _wake(self, number: int) -> None:
        """Called by the state when the time of a waiting call has changed."""
        asking = self._waiting.get(number)
        if asking is not None and asking.slot is not None:
            self._push(self._now, asking, asking.slot)

    def _push(self, at: int, asking: _Asking, what: Admission | int) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, asking, what))

    def _refuse(self, call: Recorded, refusal: Refusal) -> None:
        self._tally.refused(call, refusal, self._now)
        if call.refused_by is None:
            # What followed on this attempt (a retry, a fallback) would never have been.
            self._stopped.add(call.call_id)

    def _figures(self, call: Recorded) -> tuple[int, int | None, int]:
        """Return the tokens, cost and duration of *call*; of one that never went out, what is usual so far."""
        key = (call.service, call.model)
        typical = self._typical.get(key)
        if typical is None:
            typical = self._typical[key] = _Typical()
        if call.refused_by is None:
            duration_us = call.duration_us or 0
            if call.status == "ok":
                typical.calls += 1
                typical.tokens += call.tokens
                typical.cost += call.cost or 0
                typical.duration_us += duration_us
            return call.tokens, call.cost, duration_us
        if not typical.calls:
            return 0, call.worst, 0
        cost = None if call.worst is None else min(call.worst, typical.cost // typical.calls)
        return typical.tokens // typical.calls, cost, typical.duration_us // typical.calls

    def _accounts_of(self, call: Recorded) -> tuple[Account, ...]:
        key = tuple([getattr(call, name) for name in self._named])
        if self._tagged:
            key = (*key, call.tags)
        found = self._accounts.get(key)
        if found is None:
            if len(self._accounts) >= _REMEMBERED:
                self._accounts.clear()
            pairs = matching(self._rules.budgets, _call(call))
            found = self._accounts[key] = tuple(Account(rule.name, value) for rule, value in pairs)
        return found


def _call(call: Recorded) -> Call:
    tags = msgspec.json.decode(call.tags, type=dict[str, str]) if call.tags else {}
    attribution = Attribution(job=call.job, run=call.run, layer=call.layer, key=call.key, tags=tuple(tags.items()))
    return Call(id=call.call_id, service=call.service, endpoint="", model=call.model, attribution=attribution)


def _verdict(call: Recorded) -> Verdict:
    if call.status == "ok" or call.refused_by is not None:
        return "success"
    if call.status != "failed" or (call.http_status is not None and verdict_of(call.http_status) == "neutral"):
        return "neutral"
    return "failure"
