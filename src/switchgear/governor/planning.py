"""What can be worked out of a call before any live number is asked: its price, bounds and budgets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Call, Refusal, Usage
from switchgear.clock import Moment
from switchgear.policies.budget import matching
from switchgear.policies.expected import Expectations
from switchgear.policies.pricing import Price
from switchgear.state.base import Account, AdmissionRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Outcome
    from switchgear.config.model import Config
    from switchgear.governor.keyring import KeyRing
    from switchgear.governor.run_budgets import RunBudgets
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.pricing import PriceBook

__all__ = ["Cheaper", "Plan", "Planner"]

Cheaper = Callable[[str], Call | None]
"""The same call, of another model: what a caller hands over who can do with a cheaper one. None: this call can't."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A call with everything worked out that does not depend on live numbers.

    Attributes:
        asked: when it was first asked for.
        planner: who made it, and so under which configuration.
        tried: the models that budgets have said no to.
    """

    call: Call
    price: Price | None
    request: AdmissionRequest
    asked: Moment
    planner: Planner
    tried: tuple[str | None, ...] = ()


class Planner:
    """Makes plans, and learns what calls really put out where a budget reserves what is expected."""

    def __init__(
        self,
        *,
        config: Config,
        book: PriceBook,
        budgets: Iterable[BudgetRule],
        ring: KeyRing,
        runs: RunBudgets | None = None,
        expected: Expectations | None = None,
    ) -> None:
        self._ring: Final = ring
        self._runs: Final = runs
        self._config: Final = config
        self.book: Final = book
        self._budgets: Final = tuple(budgets)
        self._targets: Final = {
            rule.name: rule.degrade_to
            for rule in self._budgets
            if rule.action == "degrade" and rule.degrade_to is not None and not rule.shadow
        }
        soft = any(rule.reserve == "expected" for rule in self._budgets)
        self._expected: Final = (expected or Expectations()) if soft else None
        self._lock: Final = threading.Lock()

    def follower(self, *, config: Config, book: PriceBook, budgets: Iterable[BudgetRule]) -> Planner:
        """Return a planner for another configuration that knows what this one has learnt."""
        return Planner(
            config=config, book=book, budgets=budgets, ring=self._ring, runs=self._runs, expected=self._expected
        )

    def plan(
        self, call: Call, now: Moment, *, max_wait_us: int | None, waker: Callable[[], None], cheaper: Cheaper | None
    ) -> Plan:
        """Return the plan of *call*; *max_wait_us* None: the service's own."""
        service = self._config.services[call.service]
        price = self.book.price(call.service, call.model, now.wall, tier=call.tier) if call.billable else None
        tokens = call.bound.tokens
        if not call.bounded:
            # Nobody asked for this much: what the limit can hold at all is taken, not refused for ever.
            limits = service.limits
            caps = (limits.tokens_per_minute, limits.tokens_per_day, self._ring.most_tokens(call.attribution.key))
            tokens = min([tokens, *(cap for cap in caps if cap is not None)])
        found = matching(self._budgets, call)
        key = call.attribution.key
        own = self._ring.budget_of(key)
        if own is not None:
            found = (*found, (own, None))
        if self._runs is not None and call.attribution.run is not None:
            found = (*found, *((rule, None) for rule in self._runs.of(call.attribution)))
        expected = self._bound(call)
        request = AdmissionRequest(
            service=call.service,
            tokens=tokens,
            cost=self._worst_case(call, price, call.bound),
            accounts=tuple([Account(rule.name, value) for rule, value in found]),
            max_wait_us=service.max_wait if max_wait_us is None else max_wait_us,
            waker=waker,
            expected_tokens=None if expected is None else expected.tokens,
            expected_cost=None if expected is None else self._worst_case(call, price, expected),
            can_degrade=bool(self._targets)
            and cheaper is not None
            and any(rule.name in self._targets for rule, _ in found),
            scopes=self._ring.scopes_of(key),
        )
        return Plan(call=call, price=price, request=request, asked=now, planner=self)

    def degraded(self, plan: Plan, refusal: Refusal, now: Moment, cheaper: Cheaper | None) -> Plan | None:
        """Return what to ask for after a budget's no; None: the no stands.

        Where the budget degrades, that is the call of its cheaper model; and if there is none, or
        none with a price (so that it is known to be cheaper), the same call for the last time.
        """
        request = plan.request
        target = self._targets.get(refusal.rule) if refusal.reason == "budget" else None
        if target is None or cheaper is None or request.waker is None or not request.can_degrade:
            return None
        tried = (*plan.tried, plan.call.model)
        call = None if target in tried else cheaper(target)
        if call is not None:
            call = msgspec.structs.replace(call, degraded_from=plan.call.degraded_from or plan.call.model)
            left = max(0, request.max_wait_us - (now.mono - plan.asked.mono))
            other = self.plan(call, plan.asked, max_wait_us=left, waker=request.waker, cheaper=cheaper)
            if other.request.cost is not None:
                return msgspec.structs.replace(other, tried=tried)
        return msgspec.structs.replace(plan, request=msgspec.structs.replace(request, can_degrade=False))

    def unpriced(self, plan: Plan) -> Refusal | None:
        """Return the refusal of a call without a price where its service refuses those; None: it may be asked for."""
        call = plan.call
        if plan.request.cost is None and self._config.services[call.service].unpriced_policy == "refuse":
            what = f"model {call.model!r}" if call.model else f"{call.endpoint}"
            return Refusal(
                reason="unpriced",
                rule="unpriced",
                service=call.service,
                message=(
                    f"no price is known for {what} of {call.service}, and unpriced calls are refused; "
                    f'set a price under services.{call.service}.prices or unpriced = "allow"'
                ),
            )
        return None

    def learn(self, call: Call, outcome: Outcome) -> None:
        """Take in what *call* used, if its provider has counted it to the end."""
        if self._expected is None or outcome.status != "ok" or outcome.usage is None or outcome.estimated:
            return
        with self._lock:
            self._expected.learn((call.service, call.model, call.endpoint), call.bound, outcome.usage)

    def _bound(self, call: Call) -> Usage | None:
        """Return what *call* is expected to stay within, where a budget wants to know and it is known."""
        if self._expected is None:
            return None
        with self._lock:
            return self._expected.bound((call.service, call.model, call.endpoint), call.bound)

    def _worst_case(self, call: Call, price: Price | None, bound: Usage) -> int | None:
        if not call.billable:
            return 0
        return None if price is None else self.book.worst_case(price, bound)
