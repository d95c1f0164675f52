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
from switchgear.clock import micros
from switchgear.events import BreakerChanged
from switchgear.locks import patiently
from switchgear.policies.limiter import Grant, LimitDenial, Queued
from switchgear.state import refusals
from switchgear.state.accounts import Accounts, Hold
from switchgear.state.base import Admission, BreakerView, LimitView, Waiting
from switchgear.state.service import Service, ServiceRules, past_calls
from switchgear.state.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.calls import Outcome
    from switchgear.clock import Moment
    from switchgear.events import BudgetCrossed, Event
    from switchgear.policies.breaker import Change, Permit
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.base import AdmissionRequest, BudgetView, History

__all__ = ["MemoryState", "ServiceRules"]


class _Held:
    """What one admission holds."""

    __slots__ = ("grant", "holds", "permit", "service", "since", "tokens")

    def __init__(
        self, service: Service, grant: Grant, permit: Permit, tokens: int, holds: list[Hold], since: int
    ) -> None:
        self.service = service
        self.since: Final = since
        self.grant = grant
        self.permit = permit
        self.tokens = tokens
        self.holds: Final = holds


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
        self._late: Final[deque[Callable[[], Service | None]]] = deque()
        # Those that are configured no more stay known: calls in flight hold something in them.
        self._services = {name: Service(rules) for name, rules in services.items()}
        self._shown = tuple(sorted(services))
        self._accounts: Final = Accounts(budgets, started)
        self._held: dict[int, _Held] = {}
        self._slots: dict[int, tuple[Service, int]] = {}
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
        past = past_calls(history, now)
        with self._inside:
            for name, service in self._services.items():
                for calls in past.get(name, ()):
                    service.limiter.remember(calls.at, calls.requests, calls.tokens, now)
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
                if service.limiter.rules != rules.limits:
                    service.limiter.reconfigure(rules.limits, now, past.get(name, ()))
                service.breaker.reconfigure(rules.breaker)
                wakers += self._wakers(service)
            self._services, self._shown = known, tuple(sorted(services))
            self._events += self._accounts.reconfigure(budgets, history.limits, history.spend, now)
            events = self._drain()
        for waker in wakers:
            waker()
        return events

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        with self._inside:
            return tuple(self._breaker_view(name, self._services[name], now) for name in self._shown)

    def limits(self, now: Moment) -> Sequence[LimitView]:
        with self._inside:
            return tuple(
                LimitView(
                    service=name,
                    rule=rule.name,
                    unit=rule.unit,
                    limit=rule.limit,
                    used=used,
                    window=rule.window_us,
                    waiting=service.limiter.waiting,
                    free_at=None if free_at is None else now.wall + free_at - now.mono,
                )
                for name in self._shown
                for service in (self._services[name],)
                for rule, used, free_at in sorted(service.limiter.usage(now), key=lambda row: row[0].name)
            )

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        with self._inside:
            return self._accounts.views(now)

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

    def _cancel(self, admission: Admission, now: Moment) -> Service | None:
        held = self._held.pop(admission.number, None)
        if held is None:
            return None
        held.service.breaker.record(held.permit, "neutral", now.mono)
        held.service.limiter.cancel(held.grant, now)
        self._accounts.release(held.holds, now)
        return held.service

    def _settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> Service | None:
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
        self, service: Service, request: AdmissionRequest, now: Moment, slot: int | None
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
        self._held[number] = _Held(service, place, permit, request.tokens, holds, now.mono)
        return Admission(number=number, service=name, events=self._drain() if self._events else ())

    @staticmethod
    def _settle_limits(held: _Held, tokens: int, outcome: Outcome, now: Moment) -> None:
        limiter = held.service.limiter
        limiter.settle(held.grant, tokens, now)
        if outcome.quotas:
            limiter.observe(outcome.quotas, now)
        if outcome.retry_after is not None and outcome.verdict == "failure":
            limiter.pause_until(now.mono + micros(outcome.retry_after), now)

    @staticmethod
    def _give_back(service: Service, place: Grant | Queued, now: Moment) -> None:
        if isinstance(place, Queued):
            service.limiter.withdraw(place.slot, now)
        else:
            service.limiter.cancel(place, now)

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

    @staticmethod
    def _wakers(service: Service) -> list[Callable[[], None]]:
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

    def _note(self, name: str, service: Service, change: Change | None, now: Moment) -> None:
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

    def _breaker_view(self, name: str, service: Service, now: Moment) -> BreakerView:
        breaker = service.breaker
        calls, failed, probes = breaker.counts(now.mono)
        ready = breaker.state == "open" and now.mono >= breaker.until
        return BreakerView(
            service=name,
            state="half_open" if ready else breaker.state,
            since=service.since if service.since is not None else self._started,
            failures=breaker.failures,
            failure_threshold=breaker.rule.failure_threshold,
            calls=calls,
            failed=failed,
            failure_rate=breaker.rule.failure_rate,
            minimum_calls=breaker.rule.minimum_calls,
            opened_times=breaker.opened_times,
            rejected=breaker.rejected,
            next_probe_at=now.wall + breaker.until - now.mono if breaker.state == "open" and not ready else None,
            probes=probes,
            max_probes=breaker.rule.probes,
            reason=breaker.reason,
        )
