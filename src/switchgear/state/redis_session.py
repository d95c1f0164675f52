"""One process's dealings with a shared state, step by step, without any I/O of their own.

Each verb is a generator: it yields what is to be asked (*Ask*, or *RECALL* for what the ledger
remembers), is sent the answer or thrown the error, and returns what the verb returns. So threads
and tasks run the same decisions; they differ in how they wait for a socket.

What this process holds is known here too: what could not be told to the server is told later, in
order and once, and what the server has lost is held again.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.clock import micros
from switchgear.errors import StateError
from switchgear.state.base import Admission, Waiting
from switchgear.state.redis_link import Stale
from switchgear.state.redis_payloads import Ask, Finish, Held, Payloads
from switchgear.state.redis_replies import crossings_of, events_of, refusal_of
from switchgear.state.redis_rules import EXACT

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Outcome, Refusal
    from switchgear.clock import Clock, Moment
    from switchgear.events import Event
    from switchgear.policies.breaker import BreakerOrder
    from switchgear.state.base import AdmissionRequest, History
    from switchgear.state.redis_explained import Answer
    from switchgear.state.redis_replies import Reply
    from switchgear.state.redis_rules import Rules

__all__ = ["RECALL", "Session", "Steps"]

RECALL: Final = Ask("recall", b"")
"""Asks for what the ledger remembers; answered with a *History*."""

Steps = Generator[Ask, Any, Any]
"""A verb, to be driven with answers."""

_ROUNDS: Final = 64
_POLL: Final = 50_000
"""Microseconds after which somebody who stands in line for a place in flight asks again."""


class Session:
    """The state of one process's dealings.

    Args:
        rules: what the scripts are told.
        clock: time; with *server_time* False its wall clock takes the server's place (for tests).
        lease_us: for how long the server holds what this process holds without hearing of it.
        timeout_us: after which nobody waits for an answer any more.
        ledger: names the ledger that *recall* speaks of, so that it is told once.
    """

    def __init__(
        self, rules: Rules, *, clock: Clock, lease_us: int, timeout_us: int, ledger: str, server_time: bool = True
    ) -> None:
        self.owners = 1
        self.late: list[Finish] = []  # what could not be told yet
        self._owner: Final = secrets.token_hex(8)
        self._clock: Final = clock
        self._server_time: Final = server_time
        self._say: Final = Payloads(
            rules,
            owner=self._owner,
            ledger=ledger or self._owner,
            clock=clock,
            lease_us=lease_us,
            timeout_us=timeout_us,
            server_time=server_time,
        )
        self._numbers: Final = itertools.count(1)
        self._lock: Final = threading.Lock()
        self._events: list[Event] = []
        self._lines: Final[dict[int, tuple[str, Callable[[], None] | None]]] = {}
        self._held: Final[dict[int, Held]] = {}  # until the server has heard of the end
        self._open: Final[set[int]] = set()  # until the end is told
        self._joins = 0

    @property
    def rules(self) -> Rules:
        """The rules that go with every verb."""
        return self._say.rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._say.rules = rules

    # Verbs ------------------------------------------------------------------------------------

    def admit(self, request: AdmissionRequest, now: Moment, slot: int | None) -> Steps:
        """Ask for admission; see *State.admit*.

        Raises:
            StateError: what became of it is not known; it is taken back as soon as can be.
        """
        number = self.number()
        tries = 0

        def make(at: Moment) -> Ask:
            nonlocal tries
            tries += 1
            return self._say.admission(request, number, slot, at, again=tries > 1)

        try:
            while True:
                joins = self._joins
                reply: Reply = yield from self._step(make, now)
                if reply.kind != "go" or joins == self._joins:
                    break
                # The server lost its data meanwhile, before or after this: ask again.
        except BaseException:
            self._doubt(number, request)
            raise
        return self._answer(reply, request, number, slot, now)

    def withdraw(self, slot: int, now: Moment) -> Steps:
        """Give a place in the queue back."""
        with self._lock:
            line = self._lines.pop(slot, None)
        if line is None:
            return
        try:
            reply = yield self._say.withdrawal(slot, line[0], self._say.moment(now))
        except BaseException:
            self._leave_later(slot, line[0])
            raise
        self._seen(reply)

    def leave(self, slot: int) -> None:
        """Give a place in the queue back as soon as can be."""
        with self._lock:
            line = self._lines.pop(slot, None)
        if line is not None:
            self._leave_later(slot, line[0])

    def finish(self, finish: Finish, now: Moment) -> Steps:
        """Tell the server how a call ended, or take an admission back of which no answer has come."""
        held = finish.adopt
        if held is not None and not held.known:
            yield from self._step(lambda at: self._say.adoption(held, at), now)
            held.known = True
        yield from self._step(lambda at: self._say.finish(finish, at), now)
        with self._lock:
            self._held.pop(finish.number, None)
        if finish.doubt:
            reply = yield self._say.withdrawal(finish.number, finish.service, self._say.moment(now))
            self._seen(reply)

    def extend(self, number: int, cost: int | None, tokens: int, now: Moment) -> Steps:
        """Hold more for a call under way; see *State.extend*."""
        with self._lock:
            held = self._held.get(number) if number in self._open else None
        if held is None or not held.known:
            return None
        reply: Reply = yield from self._step(lambda at: self._say.extension(held, cost, tokens, at), now)
        return refusal_of(held.request.service, reply, self.rules) if reply.kind == "budget" else None

    def explain(self, request: AdmissionRequest, now: Moment) -> Steps:
        """Return what the answer to *request* would be; see *State.explain*."""
        answer: Answer = yield from self._step(lambda at: self._say.question(request, at), now)
        return answer

    def set_limit(self, budget: str, limit: int, now: Moment) -> Steps:
        """Give a budget another limit; see *State.set_limit*.

        Raises:
            ValueError: the limit is too large to be counted exactly.
        """
        if limit > EXACT:
            msg = "this limit is larger than a shared state can count exactly (9,007,199 USD)"
            raise ValueError(msg)
        reply: Reply = yield from self._step(lambda at: self._say.limit(budget, limit, at), now)
        return reply.old, crossings_of(reply.crossings)

    def set_breaker(self, service: str, order: BreakerOrder, note: str, now: Moment) -> Steps:
        """Do what an operator says about a circuit; see *State.set_breaker*."""
        if service not in self.rules.services:
            raise KeyError(service)
        reply: Reply = yield from self._step(lambda at: self._say.breaker(service, order, note, at), now)
        return reply.state

    def poll(self, now: Moment) -> Steps:
        """Let time take its effect on open circuits."""
        reply = yield self._say.polling(self._say.moment(now))
        self._seen(reply)

    def views(self, now: Moment) -> Steps:
        """Return everything that can be looked at."""
        views = yield from self._timely(self._say.viewing, now)
        return views

    def renew(self, now: Moment) -> Steps:
        """Prolong the lease of everything that this process holds."""
        reply: Reply = yield from self._step(self._say.renewal, now)
        self.owners = reply.owners

    def join(self, now: Moment, history: History | None = None) -> Steps:
        """Register; tell what the ledger remembers if the server does not know; hold again what it has lost."""
        told = history
        if told is None:
            told = yield RECALL
        with self._lock:
            self._joins += 1
            held = [one for one in self._held.values() if one.known]
        reply: Reply = yield from self._timely(lambda at: self._say.joining(told, held, at), now)
        self._seen(reply)
        self._say.epoch = reply.epoch
        self.owners = reply.owners

    # What is held -----------------------------------------------------------------------------

    def number(self) -> int:
        """Return a number that nothing else of this process has."""
        return next(self._numbers)

    def events(self) -> tuple[Event, ...]:
        """Return what has happened since the last time somebody asked, in order."""
        if not self._events:
            return ()
        with self._lock:
            events, self._events = tuple(self._events), []
        return events

    def adopt_later(self, request: AdmissionRequest) -> Admission:
        """Let a call go without the server; it is told of it when it ends."""
        number = self.number()
        with self._lock:
            self._held[number] = Held(number=number, request=request, known=False)
            self._open.add(number)
        return Admission(number=number, service=request.service)

    def settling(self, number: int, outcome: Outcome, cost: int | None) -> Finish | None:
        """Return what is to be told about the end of a call, once."""
        held = self._closing(number)
        if held is None:
            return None
        return Finish(
            number=number,
            service=held.request.service,
            accounts=held.request.accounts,
            scopes=held.request.scopes,
            tokens=-1 if outcome.usage is None else outcome.usage.tokens,
            cost=-1 if cost is None else cost,
            verdict=outcome.verdict,
            retry_after=None if outcome.retry_after is None else micros(outcome.retry_after),
            quotas=outcome.quotas,
            adopt=None if held.known else held,
        )

    def cancelling(self, number: int) -> Finish | None:
        """Return what is to be told about a call that never left, once; None: nothing."""
        held = self._closing(number)
        if held is None:
            return None
        if not held.known:
            with self._lock:
                self._held.pop(number, None)
            return None
        asked = held.request
        return Finish(
            number=number, service=asked.service, accounts=asked.accounts, scopes=asked.scopes, cancelled=True
        )

    def postpone(self, finish: Finish) -> None:
        """Keep *finish* until it can be told."""
        with self._lock:
            self.late.append(finish)

    def overdue(self, now: Moment) -> list[Finish]:
        """Return what can be told now, in order, and forget it; who can't tell it postpones it again."""
        with self._lock:
            found = [one for one in self.late if one.again_at <= now.mono]
            self.late = [one for one in self.late if one.again_at > now.mono]
        return found

    def _leave_later(self, slot: int, service: str) -> None:
        self.postpone(Finish(number=slot, service=service, accounts=(), cancelled=True, doubt=True))

    def _closing(self, number: int) -> Held | None:
        with self._lock:
            if number not in self._open:
                return None
            self._open.discard(number)
            return self._held[number]

    def _doubt(self, number: int, request: AdmissionRequest) -> None:
        """Take an admission back whose answer has not come: at once, and once more when it is void in any case."""
        finish = Finish(number=number, service=request.service, accounts=request.accounts, cancelled=True, doubt=True)
        with self._lock:
            self.late += [finish, msgspec.structs.replace(finish, again_at=self._say.void_at())]

    # Steps ------------------------------------------------------------------------------------

    def _timely(self, make: Callable[[Moment], Ask], now: Moment) -> Steps:
        """Ask; set the time right if the server says that ours is wrong."""
        for _ in range(_ROUNDS):
            try:
                answer = yield make(self._say.moment(now))
            except Stale as stale:
                self._say.corrected(stale, now)
            else:
                return answer
        msg = "the shared state's time jumps"
        raise StateError(msg)

    def _step(self, make: Callable[[Moment], Ask], now: Moment) -> Steps:
        """Ask; join and reap as the server wants it, until it answers the question itself."""
        for _ in range(_ROUNDS):
            reply: Reply = yield from self._timely(make, now)
            self._seen(reply)
            if reply.kind in {"flushed", "lapsed"}:
                yield from self.join(now)
            elif reply.kind == "reap":
                reply = yield from self._timely(self._say.reaping, now)
                self._seen(reply)
            elif reply.kind != "late":
                return reply
        msg = "the shared state does not come to rest: its data changes from one moment to the next"
        raise StateError(msg)

    def _seen(self, reply: Reply) -> None:
        """Take in what every reply carries, and wake those of this process who can go earlier than they know."""
        self._say.saw(reply)
        if not reply.events and not reply.woken:
            return
        mine = self._owner + ":"
        with self._lock:
            self._events += events_of(reply.events)
            places = [int(place[len(mine) :]) for place in reply.woken if place.startswith(mine)]
            wakers = [self._lines[place][1] for place in places if place in self._lines]
        for waker in wakers:
            if waker is not None:
                waker()

    def _answer(
        self, reply: Reply, request: AdmissionRequest, number: int, slot: int | None, now: Moment
    ) -> Admission | Waiting | Refusal:
        with self._lock:
            if slot is not None:
                self._lines.pop(slot, None)
            if reply.kind == "go":
                self._held[number] = Held(number=number, request=request)
                self._open.add(number)
            elif reply.kind == "wait":
                number = int(reply.place.partition(":")[2])
                self._lines[number] = (request.service, request.waker)
        if reply.kind == "go":
            return Admission(number=number, service=request.service, events=self.events())
        if reply.kind == "wait":
            wait = reply.go_at - reply.now
            go_at = self._say.moment(now).mono + (min(wait, _POLL) if reply.standing else wait)
            rule = f"{reply.scope} {reply.rule}" if reply.scope else reply.rule
            return Waiting(slot=number, go_at=go_at, rule=rule)
        return refusal_of(request.service, reply, self.rules)
