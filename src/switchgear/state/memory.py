"""Live numbers in this process: the policies under one lock.

The lock is held for microseconds and never over I/O, callbacks or sleeps; wakers of waiting
callers are called after it is released.
"""

from __future__ import annotations

import threading
from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING, Final

from switchgear.calls import Refusal
from switchgear.locks import Inside, patiently
from switchgear.policies.limiter import Grant, LimitDenial, Queued
from switchgear.state import refusals
from switchgear.state.accounts import Accounts
from switchgear.state.base import Admission, Waiting
from switchgear.state.held import Held
from switchgear.state.memory_budgets import MemoryBudgets
from switchgear.state.memory_views import breaker_view, changed
from switchgear.state.rehearsal import rehearse
from switchgear.state.scopes import Scopes, Stand, wakers_of
from switchgear.state.service import Service, ServiceRules, past_calls
from switchgear.state.shading import meet
from switchgear.state.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.calls import Outcome
    from switchgear.clock import Moment
    from switchgear.events import CircuitName, Event
    from switchgear.policies.breaker import BreakerOrder, Change
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.limiter import LimitRule
    from switchgear.state.base import AdmissionRequest, BreakerView, BudgetView, History, LimitView
    from switchgear.state.explanation import Explanation

__all__ = ["MemoryState", "ServiceRules"]


class MemoryState(MemoryBudgets, Twins):
    """A *State* in memory, for one process.

    Args:
        services: the rules of every service.
        budgets: every budget; a request names those that match by *Account*.
        started: the moment that "since" counts from until a breaker changes.
    """

    def __init__(self, *, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], started: Moment) -> None:
        self._lock: Final = threading.Lock()
        self._inside: Final = Inside(self._enter, self._leave)
        self._owner = 0  # the thread that is in a verb
        self._late: Final[deque[Callable[[], Service | None]]] = deque()
        # Those that are configured no more stay known: calls in flight hold something in them.
        self._services = {name: Service(rules) for name, rules in services.items()}
        self._shown = tuple(sorted(services))
        self._accounts: Final = Accounts(budgets, started)
        self._shades = self._accounts.shades or any(rules.shadow for rules in services.values())
        self._held: dict[int, Held] = {}
        self._slots: dict[int, tuple[Service, int]] = {}
        self._scopes: Final = Scopes()
        self._stands: dict[int, tuple[Service, Stand]] = {}  # places of those who have scopes
        self._woken: list[Callable[[], None]] = []  # by scopes; called when the lock is released
        self._next = 1
        self._events: list[Event] = []
        self._started: Final = started.wall

    def admit(self, request: AdmissionRequest, now: Moment, slot: int | None = None) -> Admission | Waiting | Refusal:
        service = self._services[request.service]
        if not self._lock.acquire(blocking=False):
            patiently(self._lock)
        self._owner = get_ident()
        try:
            answer = self._admit(service, request, now, slot)
            wakers = self._wakers(service) if service.limiter.wakers or self._woken else ()
        finally:
            self._leave()
        for waker in wakers:
            waker()
        return answer

    def withdraw(self, slot: int, now: Moment) -> None:
        self._give(lambda: self._withdraw(slot, now))

    def cancel(self, admission: Admission, now: Moment) -> None:
        self._give(lambda: self._cancel(admission, now))

    def settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> tuple[Event, ...]:
        me = get_ident()
        if self._owner == me:
            self._late.append(lambda: self._settle(admission, outcome, cost, now))
            return ()
        if not self._lock.acquire(blocking=False):
            patiently(self._lock)
        self._owner = me
        try:
            service = self._settle(admission, outcome, cost, now)
            events = self._drain() if self._events else ()
            wakers = self._wakers(service) if service is not None and (service.limiter.wakers or self._woken) else ()
        finally:
            self._leave()
        for waker in wakers:
            waker()
        return events

    def extend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        with self._inside:
            held = self._held.get(admission.number)
            return None if held is None else self._accounts.extend(admission.service, held.holds, cost, tokens, now)

    def set_breaker(self, service: str, order: BreakerOrder, note: str, now: Moment) -> CircuitName:
        if service not in self._shown:
            raise KeyError(service)
        its = self._services[service]
        with self._inside:
            self._note(service, its, its.breaker.poll(now.mono), now)
            old = its.breaker.state
            self._note(service, its, its.breaker.obey(order, note), now)
            return old

    def set_scope(self, scope: str, rules: Sequence[LimitRule], now: Moment) -> None:
        with self._inside:
            wakers = self._scopes.set(scope, rules, now)
        for waker in wakers:
            waker()

    def restore(self, history: History, now: Moment) -> None:
        past = past_calls(history, now)
        with self._inside:
            for name, calls in past.items():
                service = self._services.get(name)
                if service is not None:
                    service.count(calls, now)
                elif (limiter := self._scopes.get(name)) is not None:
                    for one in calls:
                        limiter.remember(one.at, one.requests, one.tokens, now)
            self._accounts.restore(history.limits, history.spend, now)
            for memory in history.breakers:
                if memory.service in self._services:
                    self._services[memory.service].remember(memory, now)

    def reconfigure(
        self, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], history: History, now: Moment
    ) -> tuple[Event, ...]:
        past = past_calls(history, now)
        memories = {memory.service: memory for memory in history.breakers}
        wakers: list[Callable[[], None]] = []
        with self._inside:
            known = dict(self._services)
            for name, rules in services.items():
                service = known.get(name)
                if service is None:
                    service = known[name] = Service(ServiceRules(limits=(), breaker=rules.breaker))
                    if name in memories:
                        service.remember(memories[name], now)
                service.reconfigure(rules, past.get(name, ()), now)
                wakers += self._wakers(service)
            self._services, self._shown = known, tuple(sorted(services))
            self._events += self._accounts.reconfigure(budgets, history.limits, history.spend, now)
            self._shades = self._accounts.shades or any(rules.shadow for rules in services.values())
            events = self._drain()
        for waker in wakers:
            waker()
        return events

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        with self._inside:
            return tuple(self._circuit(name, self._services[name], now) for name in self._shown)

    def limits(self, now: Moment) -> Sequence[LimitView]:
        with self._inside:
            return tuple(view for name in self._shown for view in self._services[name].limit_views(name, now))

    def scopes(self, now: Moment) -> Sequence[LimitView]:
        with self._inside:
            return self._scopes.views(now)

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        with self._inside:
            return self._accounts.views(now)

    def explain(self, request: AdmissionRequest, now: Moment) -> Explanation:
        service = self._services[request.service]
        with self._inside:
            return rehearse(
                request,
                now,
                limiter=service.limiter,
                breaker=service.breaker,
                accounts=self._accounts,
                shadow=service.shadow,
                circuit=self._circuit(request.service, service, now),
                scopes=self._scopes.found(request.scopes),
            )

    def poll(self, now: Moment) -> tuple[Event, ...]:
        """Let open breakers whose time has come go half-open; return the events of it."""
        with self._inside:
            for name, service in self._services.items():
                self._note(name, service, service.breaker.poll(now.mono), now)
            return self._drain()

    def _enter(self) -> None:
        if not self._lock.acquire(blocking=False):
            patiently(self._lock)
        self._owner = get_ident()

    def _leave(self) -> None:
        self._owner = 0
        self._lock.release()
        while self._late:
            self._give(self._late.popleft())

    def _give(self, give: Callable[[], Service | None]) -> None:
        """Run *give* under the lock, and wake whoever it lets go.

        A finalizer may give something back in the middle of another verb of the same thread: that
        waits until the verb is over, instead of for a lock that would never be free.
        """
        if self._owner == get_ident():
            self._late.append(give)
            return
        self._enter()
        try:
            service = give()
            wakers = () if service is None else self._wakers(service)
        finally:
            self._leave()
        for waker in wakers:
            waker()

    def _withdraw(self, slot: int, now: Moment) -> Service | None:
        service, place = self._slots.pop(slot, (None, 0))
        if service is not None:
            service.limiter.withdraw(place, now)
            return service
        service, stand = self._stands.pop(slot, (None, None))
        if stand is not None:
            stand.give_back(now)
            self._woken += stand.wakers()
        return service

    def _cancel(self, admission: Admission, now: Moment) -> Service | None:
        held = self._held.pop(admission.number, None)
        if held is None:
            return None
        held.service.breaker.record(held.permit, "neutral", now.mono)
        held.service.limiter.cancel(held.grant, now)
        if held.shadow is not None and held.service.shadow is not None:
            held.service.shadow.limiter.cancel(held.shadow, now)
        for limiter, grant in held.scoped:
            limiter.cancel(grant, now)
            self._woken += wakers_of((limiter,))
        self._accounts.release(held.holds, now)
        return held.service

    def _settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> Service | None:
        held = self._held.pop(admission.number, None)
        if held is None:
            return None
        tokens = held.tokens if outcome.usage is None else outcome.usage.tokens
        held.settle_limits(tokens, outcome, now)
        for limiter, grant in held.scoped:
            limiter.settle(grant, tokens, now)
            self._woken += wakers_of((limiter,))
        crossed = self._accounts.settle(held.holds, cost, tokens, now)
        if crossed:
            self._events += crossed
        retry_after = None if outcome.retry_after is None else round(outcome.retry_after * 1_000_000)
        took = now.mono - held.since
        change = held.service.breaker.record(held.permit, outcome.verdict, now.mono, retry_after, took)
        if change is not None:
            self._note(admission.service, held.service, change, now)
        return held.service

    def _admit(
        self, service: Service, request: AdmissionRequest, now: Moment, slot: int | None
    ) -> Admission | Waiting | Refusal:
        name, breaker = request.service, service.breaker
        leave = breaker.leave  # of a closed circuit, which has nothing to ask and nothing to note
        if leave is None:
            self._note(name, service, breaker.poll(now.mono), now)
        stand = self._stand(service, request, now, slot) if request.scopes else None
        if stand is not None:
            place = stand.advance(request.tokens, now, request.waker)
            self._woken += stand.wakers()
        elif slot is None:
            place = service.limiter.ask(request.tokens, now, request.max_wait_us, request.waker)
        else:
            place = self._resume(service, request, now, slot)
        if isinstance(place, LimitDenial):
            return refusals.rate_limited(name, place, now, None if stand is None else stand.scope)
        rejection = breaker.check(now.mono) if leave is None else None
        if rejection is not None:
            self._give_back(service, place, now, stand)
            return refusals.breaker_open(name, rejection, breaker, now)
        holds = self._accounts.room(request, now)
        if isinstance(holds, Refusal):
            self._give_back(service, place, now, stand)
            return holds
        number = self._next_number()
        if isinstance(place, Queued):
            self._accounts.leave(holds, now)
            return self._line_up(number, service, place, stand)
        self._accounts.hold(holds)
        permit = breaker.take(now.mono) if leave is None else leave
        held = self._held[number] = Held(service, place, permit, request.tokens, holds, now.mono)
        if stand is not None:
            held.scoped = stand.scoped
        if self._shades:
            self._shade(held, request, now)
        return Admission(number=number, service=name, events=self._drain() if self._events else ())

    def _line_up(self, number: int, service: Service, place: Queued, stand: Stand | None) -> Waiting:
        if stand is None:
            self._slots[number] = (service, place.slot)
            return Waiting(slot=number, go_at=place.go_at, rule=place.rule.name)
        self._stands[number] = (service, stand)
        scope = stand.scope
        rule = place.rule.name if scope is None else f"{scope} {place.rule.name}"
        return Waiting(slot=number, go_at=place.go_at, rule=rule)

    def _shade(self, held: Held, request: AdmissionRequest, now: Moment) -> None:
        """Ask shadow rules about a call that goes."""
        if held.service.shadow is not None:
            held.shadow, told = meet(held.service.shadow, request, now)
            self._events += told
        self._events += self._accounts.shade(request.service, now)

    def _give_back(self, service: Service, place: Grant | Queued, now: Moment, stand: Stand | None) -> None:
        if stand is not None:
            stand.give_back(now)
            self._woken += stand.wakers()
        elif isinstance(place, Queued):
            service.limiter.withdraw(place.slot, now)
        else:
            service.limiter.cancel(place, now)

    def _stand(self, service: Service, request: AdmissionRequest, now: Moment, slot: int | None) -> Stand | None:
        """Return how far the caller of *slot*, or a new one, has come; None: no scope of its has limits."""
        known = None if slot is None else self._stands.pop(slot, None)
        if known is not None:
            return known[1]
        if slot in self._slots:
            return None  # it stood in line before its scope had any limit
        scopes = self._scopes.found(request.scopes)
        return Stand(scopes, service.limiter, now.mono + request.max_wait_us) if scopes else None

    def _resume(
        self, service: Service, request: AdmissionRequest, now: Moment, slot: int
    ) -> Grant | Queued | LimitDenial:
        entry = self._slots.pop(slot, None)
        answer = None if entry is None else service.limiter.resume(entry[1], now)
        if answer is not None:
            return answer
        return service.limiter.ask(request.tokens, now, request.max_wait_us, request.waker)

    def _next_number(self) -> int:
        number = self._next
        self._next += 1
        return number

    def _wakers(self, service: Service) -> list[Callable[[], None]]:
        wakers = service.limiter.wakers
        if self._woken:
            wakers, self._woken = [*wakers, *self._woken], []
        if not wakers:
            return wakers
        service.limiter.wakers = []
        return wakers

    def _drain(self) -> tuple[Event, ...]:
        """Return what has happened since the last verb that returned events, in order."""
        if not self._events:
            return ()
        events, self._events = tuple(self._events), []
        return events

    def _note(self, name: str, service: Service, change: Change | None, now: Moment) -> None:
        if change is None:
            return
        service.since = now.wall
        self._events.append(changed(name, change, now))

    def _circuit(self, name: str, service: Service, now: Moment) -> BreakerView:
        return breaker_view(name, service.breaker, self._started if service.since is None else service.since, now)
