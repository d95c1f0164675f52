"""Live numbers in this process: the policies under one lock.

The lock is held for microseconds and never over I/O, callbacks or sleeps; wakers of waiting
callers are called after it is released.
"""

from __future__ import annotations

import threading
from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import Refusal
from switchgear.clock import micros
from switchgear.events import BreakerChanged
from switchgear.locks import patiently
from switchgear.policies.breaker import Breaker, BreakerRule, Change, Permit
from switchgear.policies.limiter import Grant, LimitDenial, Limiter, LimitRule, Queued
from switchgear.policies.shadow import ShadowLimits
from switchgear.state import refusals
from switchgear.state.accounts import Accounts, Hold
from switchgear.state.base import Admission, Waiting
from switchgear.state.memory_views import breaker_view, limit_views
from switchgear.state.rehearsal import rehearse
from switchgear.state.shading import meet
from switchgear.state.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.calls import Outcome
    from switchgear.clock import Moment
    from switchgear.events import BudgetCrossed, Event
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.base import AdmissionRequest, BreakerView, BudgetView, History, LimitView
    from switchgear.state.explanation import Explanation

__all__ = ["MemoryState", "ServiceRules"]


class ServiceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one service; those of *shadow* are evaluated and not enforced."""

    limits: tuple[LimitRule, ...]
    breaker: BreakerRule
    shadow: tuple[LimitRule, ...] = ()


class _Service:
    __slots__ = ("breaker", "limiter", "shadow", "since")

    def __init__(self, rules: ServiceRules) -> None:
        self.limiter: Final = Limiter(rules.limits)
        self.breaker: Final = Breaker(rules.breaker)
        self.shadow: Final = ShadowLimits(rules.shadow) if rules.shadow else None
        self.since: int | None = None  # epoch microseconds of the last change; None: never changed


class _Held:
    """What one admission holds."""

    __slots__ = ("grant", "holds", "permit", "service", "shadow", "since", "tokens")

    def __init__(
        self, service: _Service, grant: Grant, permit: Permit, tokens: int, holds: list[Hold], since: int
    ) -> None:
        self.service = service
        self.since: Final = since
        self.grant = grant
        self.permit = permit
        self.tokens = tokens
        self.holds: Final = holds
        self.shadow: Grant | None = None


class _Inside:
    """The lock as a context manager, for verbs that are not on every call's way."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._enter: Final = enter
        self._leave: Final = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, *_: object) -> None:
        self._leave()


class MemoryState(Twins):
    """A *State* in memory, for one process.

    Args:
        services: the rules of every service.
        budgets: every budget; a request names those that match by *Account*.
        started: the moment that "since" counts from until a breaker changes.
    """

    def __init__(self, *, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], started: Moment) -> None:
        self._lock: Final = threading.Lock()
        self._inside: Final = _Inside(self._enter, self._leave)
        self._owner = 0  # the thread that is in a verb
        self._late: Final[deque[Callable[[], _Service | None]]] = deque()
        self._services: Final = {name: _Service(rules) for name, rules in sorted(services.items())}
        self._accounts: Final = Accounts(budgets, started)
        self._shades: Final = self._accounts.shades or any(rules.shadow for rules in services.values())
        self._held: dict[int, _Held] = {}
        self._slots: dict[int, tuple[_Service, int]] = {}
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
            wakers = self._wakers(service) if service.limiter.wakers else ()
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
            wakers = self._wakers(service) if service is not None and service.limiter.wakers else ()
        finally:
            self._leave()
        for waker in wakers:
            waker()
        return events

    def extend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        with self._inside:
            held = self._held.get(admission.number)
            return None if held is None else self._accounts.extend(admission.service, held.holds, cost, tokens, now)

    def set_limit(self, budget: str, limit: int, now: Moment) -> tuple[int, tuple[BudgetCrossed, ...]]:
        with self._inside:
            old, events = self._accounts.set_limit(budget, limit, now)
            return old, tuple(events)

    def restore(self, history: History, now: Moment) -> None:
        with self._inside:
            for past in history.calls:
                if past.service in self._services:
                    at = now.mono - (now.wall - past.at)
                    service = self._services[past.service]
                    for limits in (service.limiter, *([] if service.shadow is None else [service.shadow.limiter])):
                        limits.remember(min(at, now.mono), past.requests, past.tokens, now)
            self._accounts.restore(history.limits, history.spend, now)
            for memory in history.breakers:
                known = self._services.get(memory.service)
                if known is not None and memory.state in {"open", "half_open"}:
                    until = now.mono if memory.until is None else now.mono - (now.wall - memory.until)
                    known.breaker.remember(until=until, opened_times=memory.opened_times, reason=memory.reason)
                    known.since = memory.at

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        with self._inside:
            return tuple(self._circuit(name, service, now) for name, service in self._services.items())

    def limits(self, now: Moment) -> Sequence[LimitView]:
        with self._inside:
            return tuple(view for name, service in self._services.items() for view in _limits(name, service, now))

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

    def _give(self, give: Callable[[], _Service | None]) -> None:
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

    def _withdraw(self, slot: int, now: Moment) -> _Service | None:
        service, place = self._slots.pop(slot, (None, 0))
        if service is not None:
            service.limiter.withdraw(place, now)
        return service

    def _cancel(self, admission: Admission, now: Moment) -> _Service | None:
        held = self._held.pop(admission.number, None)
        if held is None:
            return None
        held.service.breaker.record(held.permit, "neutral", now.mono)
        held.service.limiter.cancel(held.grant, now)
        if held.shadow is not None and held.service.shadow is not None:
            held.service.shadow.limiter.cancel(held.shadow, now)
        self._accounts.release(held.holds, now)
        return held.service

    def _settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> _Service | None:
        held = self._held.pop(admission.number, None)
        if held is None:
            return None
        tokens = held.tokens if outcome.usage is None else outcome.usage.tokens
        self._settle_limits(held, tokens, outcome, now)
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
        self, service: _Service, request: AdmissionRequest, now: Moment, slot: int | None
    ) -> Admission | Waiting | Refusal:
        name, breaker = request.service, service.breaker
        leave = breaker.leave  # of a closed circuit, which has nothing to ask and nothing to note
        if leave is None:
            self._note(name, service, breaker.poll(now.mono), now)
        if slot is None:
            place = service.limiter.ask(request.tokens, now, request.max_wait_us, request.waker)
        else:
            place = self._resume(service, request, now, slot)
        if isinstance(place, LimitDenial):
            return refusals.rate_limited(name, place, now)
        rejection = breaker.check(now.mono) if leave is None else None
        if rejection is not None:
            self._give_back(service, place, now)
            return refusals.breaker_open(name, rejection, breaker, now)
        holds = self._accounts.room(request, now)
        if isinstance(holds, Refusal):
            self._give_back(service, place, now)
            return holds
        number = self._next_number()
        if isinstance(place, Queued):
            self._slots[number] = (service, place.slot)
            self._accounts.leave(holds, now)
            return Waiting(slot=number, go_at=place.go_at, rule=place.rule.name)
        self._accounts.hold(holds)
        permit = breaker.take(now.mono) if leave is None else leave
        held = self._held[number] = _Held(service, place, permit, request.tokens, holds, now.mono)
        if self._shades:
            self._shade(held, request, now)
        return Admission(number=number, service=name, events=self._drain() if self._events else ())

    def _shade(self, held: _Held, request: AdmissionRequest, now: Moment) -> None:
        """Ask shadow rules about a call that goes."""
        if held.service.shadow is not None:
            held.shadow, told = meet(held.service.shadow, request, now)
            self._events += told
        self._events += self._accounts.shade(request.service, now)

    @staticmethod
    def _settle_limits(held: _Held, tokens: int, outcome: Outcome, now: Moment) -> None:
        limiter = held.service.limiter
        limiter.settle(held.grant, tokens, now)
        if held.shadow is not None and held.service.shadow is not None:
            held.service.shadow.limiter.settle(held.shadow, tokens, now)
        if outcome.quotas:
            limiter.observe(outcome.quotas, now)
        if outcome.retry_after is not None and outcome.verdict == "failure":
            limiter.pause_until(now.mono + micros(outcome.retry_after), now)

    @staticmethod
    def _give_back(service: _Service, place: Grant | Queued, now: Moment) -> None:
        if isinstance(place, Queued):
            service.limiter.withdraw(place.slot, now)
        else:
            service.limiter.cancel(place, now)

    def _resume(
        self, service: _Service, request: AdmissionRequest, now: Moment, slot: int
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

    @staticmethod
    def _wakers(service: _Service) -> list[Callable[[], None]]:
        wakers = service.limiter.wakers
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

    def _note(self, name: str, service: _Service, change: Change | None, now: Moment) -> None:
        if change is None:
            return
        service.since = now.wall
        until = None if change.until is None else now.wall + change.until - now.mono
        self._events.append(
            BreakerChanged(
                service=name,
                old=change.old,
                new=change.new,
                reason=change.reason,
                at=now.wall,
                opened_times=change.opened_times,
                until=until,
            )
        )

    def _circuit(self, name: str, service: _Service, now: Moment) -> BreakerView:
        return breaker_view(name, service.breaker, self._started if service.since is None else service.since, now)


def _limits(name: str, service: _Service, now: Moment) -> list[LimitView]:
    views = limit_views(name, service.limiter, now)
    return views if service.shadow is None else views + limit_views(name, service.shadow.limiter, now, service.shadow)
