"""The gate: admit -> (wait) -> call -> settle. Every way out of Switchgear ends here.

The decisions are the state's; what is here is the order of things, once for threads and once for
tasks: the state says yes, the ledger has it durably, only then may the call leave; and what the
client sees answered has been settled first.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Final, cast

from switchgear.calls import NO_USAGE, Call, Outcome, Refusal, Usage
from switchgear.clock import Moment
from switchgear.errors import LedgerError, refused
from switchgear.events import BreakerChanged, BudgetCrossed, CallRefused, CallSettled, ShadowExceeded
from switchgear.governor.admitted import Admitted, Settlement
from switchgear.governor.desk import BudgetDesk
from switchgear.governor.explaining import Explainer
from switchgear.governor.meters import Meters
from switchgear.governor.planning import Planner
from switchgear.governor.terms import Terms
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
from switchgear.policies.pricing import BILLED, version_of
from switchgear.state.base import Admission, Waiting
from switchgear.waiting import async_turn, threadsafe_waker, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from decimal import Decimal

    from switchgear.clock import Clock, Moment
    from switchgear.config.model import Config, ServiceConfig
    from switchgear.events import BudgetChanged, Bus, Event
    from switchgear.governor.keyring import KeyRing
    from switchgear.governor.planning import Cheaper, Plan
    from switchgear.governor.run_budgets import RunBudgets
    from switchgear.ledger import Ledger
    from switchgear.ledger.commit import Commit
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.pricing import PriceBook
    from switchgear.state.base import AdmissionRequest, AsyncState

__all__ = ["Admitted", "Gate", "Settlement"]

_Answer = Admission | Waiting | Refusal

_log = logging.getLogger("switchgear.gate")


class Gate:
    """Admits and settles calls.

    Args:
        config: the services and budgets in force.
        state: the live numbers.
        ledger: the durable record.
        book: prices.
        bus: where events go.
        clock: time.
        budgets: the rules made from *config*.
        keys: the provider key of each service that has one of its own.
        ring: the Switchgear keys in force.
        runs: the budgets of runs under way here.
    """

    def __init__(  # noqa: PLR0913 - each is one room, by name
        self,
        *,
        config: Config,
        state: AsyncState,
        ledger: Ledger,
        book: PriceBook,
        bus: Bus,
        clock: Clock,
        budgets: tuple[BudgetRule, ...],
        keys: Mapping[str, str],
        ring: KeyRing,
        runs: RunBudgets,
    ) -> None:
        self.state: Final = state
        self.ledger: Final = ledger
        self.bus: Final = bus
        self.clock: Final = clock
        self.ring: Final = ring
        self.runs: Final = runs
        self.callers: Final = ring.callers
        self.meters = Meters(config)
        self._terms = Terms(config, keys, Planner(config=config, book=book, budgets=budgets, ring=ring, runs=runs))
        self._desk: Final = BudgetDesk(budgets=budgets, ring=ring, state=state, ledger=ledger, bus=bus, clock=clock)

    @property
    def config(self) -> Config:
        """The services and budgets in force."""
        return self._terms.config

    @property
    def book(self) -> PriceBook:
        """The prices in force."""
        return self._terms.planner.book

    @property
    def explainer(self) -> Explainer:
        """Who says what would become of a call now."""
        return Explainer(self._terms.planner, self.state, self.clock)

    def adopt(
        self, config: Config, *, book: PriceBook, budgets: tuple[BudgetRule, ...], keys: Mapping[str, str]
    ) -> None:
        """Hold to *config* from the next call on. Who is planned, admitted or in line already stays as it is.

        The state has been told of it before.
        """
        self._terms = Terms(config, keys, self._terms.planner.follower(config=config, book=book, budgets=budgets))
        self.meters = Meters(config, self.meters)
        self._desk.adopt(budgets)

    def service(self, name: str) -> ServiceConfig:
        """Return the configuration of service *name*.

        Raises:
            ConfigError: there is no such service; the known ones are listed.
        """
        return self._terms.service(name)

    def key_of(self, service: str) -> str | None:
        """Return the provider key that calls to *service* are sent with; None: the caller's own."""
        return self._terms.keys.get(service)

    def admit(self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None) -> Admitted:
        """Let *call* go, or raise; may block up to *max_wait_us* (default: the service's ``max_wait``).

        With *cheaper* a ``degrade`` budget that has no room for the call gets it as one of its
        ``degrade_to`` instead; the *Admitted* tells which call it is that may go.

        Raises:
            Refused: one of its kinds; nothing was sent, nothing is held.
            LedgerError: the reservation can't be recorded, so the call may not leave (``ledger.on_error``).
        """
        wake = threading.Event()
        plan, answer = self._ask(self._plan(call, max_wait_us, wake.set, cheaper), cheaper)
        while isinstance(answer, Waiting):
            turn(answer, wake, self.clock, self._withdraw)
            plan, answer = self._ask(plan, cheaper, answer.slot)
        if isinstance(answer, Refusal):
            self._refuse(plan, answer, self.state.poll(self.clock.moment())).wait()
            raise refused(answer)
        admitted, commit = self._reserve(plan, answer)
        try:
            commit.wait()
        except BaseException as error:
            self._abandon(admitted, error)
            raise
        self._publish(answer.events)
        return admitted

    async def aadmit(self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None) -> Admitted:
        wake = asyncio.Event()
        plan, answer = await self._aask(self._plan(call, max_wait_us, threadsafe_waker(wake), cheaper), cheaper)
        while isinstance(answer, Waiting):
            await async_turn(answer, wake, self.clock, self._withdraw)
            plan, answer = await self._aask(plan, cheaper, answer.slot)
        if isinstance(answer, Refusal):
            events = await self.state.apoll(self.clock.moment())
            await self._refuse(plan, answer, events).done()
            raise refused(answer)
        admitted, commit = self._reserve(plan, answer)
        try:
            await commit.done()
        except BaseException as error:
            self._abandon(admitted, error)
            raise
        self._publish(answer.events)
        return admitted

    def settle(self, admitted: Admitted, outcome: Outcome) -> Settlement:
        """Replace the reservation by what *outcome* says, durably, before it returns.

        A ledger that can't be written now does not take the answer away: its writer keeps the
        settlement until it can. Should the process die before, the reservation is on record, and
        the next start settles it at its full cost.
        """
        now = self.clock.moment()
        cost, version = self._cost(admitted, outcome, now)
        told = self.state.settle(admitted.admission, outcome, cost, now)
        settlement, commit, events = self._settled(admitted, outcome, cost, version, told, now)
        try:
            commit.wait()
        except LedgerError as error:
            _log.warning("call %s is not settled in the ledger: %s", admitted.call.id, error)
        self.bus.publish(events)
        return settlement

    async def asettle(self, admitted: Admitted, outcome: Outcome) -> Settlement:
        """The same for tasks. A cancelled caller does not undo it: the ledger has it all the same."""
        now = self.clock.moment()
        cost, version = self._cost(admitted, outcome, now)
        told: tuple[Event, ...] = ()
        try:
            told = await self.state.asettle(admitted.admission, outcome, cost, now)
        finally:
            settlement, commit, events = self._settled(admitted, outcome, cost, version, told, now)
        try:
            await commit.done()
        except LedgerError as error:
            _log.warning("call %s is not settled in the ledger: %s", admitted.call.id, error)
        finally:
            self.bus.publish(events)
        return settlement

    def extend(self, admitted: Admitted, usage: Usage) -> Refusal | None:
        """Hold as much as *usage* for a call under way that has passed its reservation; a refusal: stop it."""
        price = admitted.price
        cost = None if price is None else admitted.book.worst_case(price, usage)
        return self.state.extend(admitted.admission, cost, usage.tokens, self.clock.moment())

    def set_budget(
        self,
        name: str,
        *,
        limit_usd: Decimal | int | str | None = None,
        limit_tokens: int | None = None,
        by: str,
        note: str = "",
    ) -> BudgetChanged:
        return self._desk.set_budget(name, limit_usd=limit_usd, limit_tokens=limit_tokens, by=by, note=note)

    def tick(self) -> None:
        """Let time and changed keys take their effect, and publish it. Whoever runs long calls it now and then."""
        now = self.clock.moment()
        self.ledger.sweep(now)
        self.ring.refresh(self.state, now)
        self._publish(self.state.poll(now))

    async def atick(self) -> None:
        """The same for a task."""
        now = self.clock.moment()
        self.ledger.sweep(now)
        await self.ring.arefresh(self.state, now)
        self._publish(await self.state.apoll(self.clock.moment()))

    def _plan(self, call: Call, max_wait_us: int | None, waker: Callable[[], None], cheaper: Cheaper | None) -> Plan:
        terms = self._terms
        terms.require(call)
        return terms.planner.plan(call, self.clock.moment(), max_wait_us=max_wait_us, waker=waker, cheaper=cheaper)

    def _ask(self, plan: Plan, cheaper: Cheaper | None, slot: int | None = None) -> tuple[Plan, _Answer]:
        """Return what the state says to *plan*, or to the cheaper one that a budget has put in its place."""
        questions = self._questions(plan, cheaper, slot)
        try:
            question = next(questions)
            while True:
                question = questions.send(self.state.admit(*question))
        except StopIteration as done:
            return cast("tuple[Plan, _Answer]", done.value)

    async def _aask(self, plan: Plan, cheaper: Cheaper | None, slot: int | None = None) -> tuple[Plan, _Answer]:
        questions = self._questions(plan, cheaper, slot)
        try:
            question = next(questions)
            while True:
                question = questions.send(await self.state.aadmit(*question))
        except StopIteration as done:
            return cast("tuple[Plan, _Answer]", done.value)

    def _questions(
        self, plan: Plan, cheaper: Cheaper | None, slot: int | None
    ) -> Generator[tuple[AdmissionRequest, Moment, int | None], _Answer, tuple[Plan, _Answer]]:
        """Yield what the state is to be asked, be sent its answers, return the last with the plan that it is for."""
        now = plan.asked if slot is None else self.clock.moment()
        answer: _Answer | None = plan.planner.unpriced(plan) if slot is None else None
        if answer is None:
            answer = yield plan.request, now, slot
        while isinstance(answer, Refusal):
            other = plan.planner.degraded(plan, answer, now, cheaper)
            if other is None:
                break
            plan, answer = other, (yield other.request, now, None)
        return plan, answer

    def _refuse(self, plan: Plan, refusal: Refusal, events: tuple[Event, ...]) -> Commit:
        now = self.clock.moment()
        waited = now.mono - plan.asked.mono
        row = AttemptRefused(call=plan.call, refusal=refusal, cost=plan.request.cost, at=now.wall, waited_us=waited)
        commit = self.ledger.refuse(row)
        self._publish(events)
        self.bus.publish((CallRefused(call=plan.call, refusal=refusal, at=now.wall, waited_us=waited),))
        return commit

    def _reserve(self, plan: Plan, admission: Admission) -> tuple[Admitted, Commit]:
        now = self.clock.moment()
        waited_us = now.mono - plan.asked.mono
        admitted = Admitted(
            call=plan.call,
            admission=admission,
            price=plan.price,
            cost=plan.request.cost,
            book=plan.planner.book,
            started=now,
            waited_us=waited_us,
        )
        row = AttemptReserved(
            call=plan.call,
            cost=plan.request.cost,
            price_version=version_of(plan.price),
            started_at=now.wall,
            waited_us=waited_us,
        )
        try:
            return admitted, self.ledger.reserve(row)
        except BaseException:
            self.state.cancel(admission, now)
            raise

    def _withdraw(self, slot: int) -> None:
        self.state.withdraw(slot, self.clock.moment())

    def _abandon(self, admitted: Admitted, error: BaseException) -> None:
        """Undo an admission that did not leave; its row is there all the same, unless the ledger's *error* says no."""
        self.state.cancel(admitted.admission, self.clock.moment())
        if isinstance(error, LedgerError):
            return
        self.ledger.settle(
            self._row(admitted, Outcome(status="cancelled", verdict="neutral", error="never sent"), NO_USAGE, 0, None)
        )

    def _settled(
        self,
        admitted: Admitted,
        outcome: Outcome,
        cost: int | None,
        version: str | None,
        events: tuple[Event, ...],
        now: Moment,
    ) -> tuple[Settlement, Commit, tuple[Event, ...]]:
        """Put a call that the state has settled on record."""
        call = admitted.call
        usage = admitted.call.bound if outcome.usage is None else outcome.usage
        self._terms.planner.learn(call, outcome)
        settled = CallSettled(
            call=call,
            status=outcome.status,
            usage=usage,
            cost=cost,
            waited_us=admitted.waited_us,
            duration_us=now.mono - admitted.started.mono,
            at=now.wall,
            outcome=outcome,
            reserved=admitted.cost,
        )
        self._record(events)
        commit = self.ledger.settle(self._row(admitted, outcome, usage, cost, version))
        return Settlement(usage=usage, cost=cost, estimated=settled.estimated), commit, (*events, settled)

    def _cost(self, admitted: Admitted, outcome: Outcome, now: Moment) -> tuple[int | None, str | None]:
        """Return what the call cost, and the version of the price that says so."""
        call, price = admitted.call, admitted.price
        # A look at a batch is free, and tells what the batch came to, which is not.
        if outcome.usage is None or not (call.billable or outcome.tier == "batch"):
            return admitted.cost, version_of(price)
        if outcome.usage == NO_USAGE and outcome.status != "ok":
            return 0, version_of(price)  # nothing was delivered, and providers bill by what they deliver
        model = outcome.model or call.model
        tier = outcome.tier or call.tier
        if (model, tier) != (call.model, call.tier):
            # What is billed counts, not what was asked for; a name nobody knows is priced as asked.
            price = admitted.book.price(call.service, model, now.wall, tier=tier) or price
        if outcome.cost is not None and (price is None or not price.is_own):
            return outcome.cost, BILLED
        return None if price is None else admitted.book.cost(price, outcome.usage), version_of(price)

    def _row(
        self, admitted: Admitted, outcome: Outcome, usage: Usage, cost: int | None, version: str | None
    ) -> AttemptSettled:
        return AttemptSettled(
            call_id=admitted.call.id,
            attempt=admitted.call.attempt,
            status=outcome.status,
            usage=usage,
            cost=cost,
            price_version=version,
            estimated=outcome.estimated or outcome.usage is None,
            http_status=outcome.http_status,
            error=outcome.error,
            model=outcome.model,
            ttft_us=outcome.ttft_us,
            duration_us=self.clock.moment().mono - admitted.started.mono,
        )

    def _publish(self, events: tuple[Event, ...]) -> None:
        if events:
            self._record(events)
            self.bus.publish(events)

    def _record(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, BreakerChanged | BudgetCrossed | ShadowExceeded):
                self.ledger.record(event)
