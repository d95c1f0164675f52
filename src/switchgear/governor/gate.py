"""The gate: admit -> (wait) -> call -> settle. Every way out of Switchgear ends here.

The decisions are the state's; here is the order of things, for threads and for tasks: the state says yes,
the ledger has it durably, only then may the call leave; what the client sees answered has been settled.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final, cast

from switchgear.calls import NO_USAGE, Call, Outcome, Refusal, Usage
from switchgear.errors import LedgerError, refused
from switchgear.events import BreakerChanged, BudgetCrossed, CallRefused, CallSettled, ShadowExceeded
from switchgear.governor.admitted import Admitted, Leaving, Settlement, Settling
from switchgear.governor.breaker_desk import BreakerDesk
from switchgear.governor.desk import BudgetDesk
from switchgear.governor.entries import cost_of, settled_row
from switchgear.governor.explaining import Explainer
from switchgear.governor.meters import Meters
from switchgear.governor.planning import Planner
from switchgear.governor.running import Running
from switchgear.governor.terms import Terms
from switchgear.ledger.rows import AttemptRefused, AttemptReserved
from switchgear.policies.pricing import version_of
from switchgear.state.base import Admission, Waiting
from switchgear.waiting import Wake, async_turn, turn

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Mapping
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

_NEVER_SENT: Final = Outcome(status="cancelled", verdict="neutral", error="never sent")

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
        self.meters = Meters(config, Running(ledger, clock))
        self.terms = Terms(config, keys, Planner(config=config, book=book, budgets=budgets, ring=ring, runs=runs))
        self._desk: Final = BudgetDesk(budgets=budgets, ring=ring, state=state, ledger=ledger, bus=bus, clock=clock)
        self.breakers: Final = BreakerDesk(state=state, ledger=ledger, clock=clock, publish=self._publish)

    @property
    def config(self) -> Config:
        """The services and budgets in force."""
        return self.terms.config

    @property
    def book(self) -> PriceBook:
        """The prices in force."""
        return self.terms.planner.book

    @property
    def explainer(self) -> Explainer:
        """Who says what would become of a call now."""
        return Explainer(self.terms.planner, self.state, self.clock)

    def adopt(
        self, config: Config, *, book: PriceBook, budgets: tuple[BudgetRule, ...], keys: Mapping[str, str]
    ) -> None:
        """Hold to *config* from the next call on, as the state does; who is planned or in line stays as it is."""
        self.terms = Terms(config, keys, self.terms.planner.follower(config=config, book=book, budgets=budgets))
        self.meters = Meters(config, self.meters.running)
        self._desk.adopt(budgets)

    def service(self, name: str) -> ServiceConfig:
        """Return the configuration of service *name*.

        Raises:
            ConfigError: there is no such service; the known ones are listed.
        """
        return self.terms.service(name)

    def key_of(self, service: str) -> str | None:
        """Return the provider key that calls to *service* are sent with; None: the caller's own."""
        return self.terms.keys.get(service)

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
            self.abandon(admitted, error)
            raise
        self._publish(answer.events)
        return admitted

    async def aadmit(self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None) -> Admitted:
        wake = Wake()
        plan, answer = await self._aask(self._plan(call, max_wait_us, wake, cheaper), cheaper)
        return await self._concluded(plan, answer, wake, cheaper)

    def begin_admission(
        self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None
    ) -> Leaving | Coroutine[Any, Any, Admitted]:
        """Ask a state that answers at once, as *aadmit* does.

        A yes may leave once its commit is done: *confirm* it then, or *abandon* it. Anything else is
        what is left to be awaited, with all that *aadmit* may raise.
        """
        wake = Wake()
        plan, answer = self._ask(self._plan(call, max_wait_us, wake, cheaper), cheaper)
        if isinstance(answer, Admission):
            return Leaving(*self._reserve(plan, answer), answer.events)
        return self._concluded(plan, answer, wake, cheaper)

    def confirm(self, leaving: Leaving) -> None:
        """Tell of a call that leaves now."""
        self._publish(leaving.events)

    async def _concluded(self, plan: Plan, answer: _Answer, wake: Wake, cheaper: Cheaper | None) -> Admitted:
        while isinstance(answer, Waiting):
            await async_turn(answer, wake.event, self.clock, self._withdraw)
            plan, answer = await self._aask(plan, cheaper, answer.slot)
        if isinstance(answer, Refusal):
            events = await self.state.apoll(self.clock.moment())
            await self._refuse(plan, answer, events).done()
            raise refused(answer)
        admitted, commit = self._reserve(plan, answer)
        try:
            await commit.done()
        except BaseException as error:
            self.abandon(admitted, error)
            raise
        self._publish(answer.events)
        return admitted

    def settle(self, admitted: Admitted, outcome: Outcome) -> Settlement:
        """Replace the reservation by what *outcome* says, durably, before it returns.

        A ledger that can't be written now does not take the answer away: its writer keeps the
        settlement until it can. Should the process die before, the reservation is on record, and
        the next start settles it at its full cost.
        """
        settling = self.begin_settlement(admitted, outcome)
        try:
            settling.commit.wait()
        except LedgerError as error:
            self.conclude(settling, error)
        else:
            self.conclude(settling, None)
        return settling.settlement

    async def asettle(self, admitted: Admitted, outcome: Outcome) -> Settlement:
        """The same for tasks. A cancelled caller does not undo it: the ledger has it all the same."""
        now = self.clock.moment()
        cost, version = cost_of(admitted, outcome, now)
        told: tuple[Event, ...] = ()
        try:
            told = await self.state.asettle(admitted.admission, outcome, cost, now)
        finally:
            settling = self._settled(admitted, outcome, cost, version, told, now)
        problem: LedgerError | None = None
        try:
            await settling.commit.done()
        except LedgerError as error:
            problem = error
        finally:
            self.conclude(settling, problem)
        return settling.settlement

    def begin_settlement(self, admitted: Admitted, outcome: Outcome) -> Settling:
        """Settle *admitted* in a state that answers at once; *conclude* it when its commit is done."""
        now = self.clock.moment()
        cost, version = cost_of(admitted, outcome, now)
        told = self.state.settle(admitted.admission, outcome, cost, now)
        return self._settled(admitted, outcome, cost, version, told, now)

    def conclude(self, settling: Settling, problem: LedgerError | None) -> None:
        """Tell of a settlement whose commit is over; *problem*: it is not durable, and why."""
        if problem is not None:
            _log.warning("call %s is not settled in the ledger: %s", settling.call_id, problem)
        self.bus.publish(settling.events)

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
        terms = self.terms
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

    def abandon(self, admitted: Admitted, error: BaseException) -> None:
        """Undo an admission that did not leave; its row is there all the same, unless the ledger's *error* says no."""
        self.state.cancel(admitted.admission, self.clock.moment())
        if isinstance(error, LedgerError):
            return
        self.ledger.settle(
            settled_row(admitted, _NEVER_SENT, usage=NO_USAGE, cost=0, version=None, now=self.clock.moment())
        )

    def _settled(
        self,
        admitted: Admitted,
        outcome: Outcome,
        cost: int | None,
        version: str | None,
        events: tuple[Event, ...],
        now: Moment,
    ) -> Settling:
        """Put a call that the state has settled on record."""
        call = admitted.call
        usage = admitted.call.bound if outcome.usage is None else outcome.usage
        self.terms.planner.learn(call, outcome)
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
        row = settled_row(admitted, outcome, usage=usage, cost=cost, version=version, now=now)
        commit = self.ledger.settle(row)
        settlement = Settlement(usage=usage, cost=cost, estimated=settled.estimated)
        return Settling(call.id, settlement, commit, (*events, settled))

    def _publish(self, events: tuple[Event, ...]) -> None:
        if events:
            self._record(events)
            self.bus.publish(events)

    def _record(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, BreakerChanged | BudgetCrossed | ShadowExceeded):
                self.ledger.record(event)
