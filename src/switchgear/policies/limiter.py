"""The rate limiter: all limits of one service at once, and waiting as a slot in time.

Who has to wait gets the instant at which every limit has room, after all who came before; it then
takes its units when it goes, so a late wake-up makes no burst. Nobody overtakes but by priority,
and by priority nobody is pushed back who has waited for *AGING*, or would then wait longer than that
or than its patience.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from switchgear.clock import micros
from switchgear.policies.bounds import Bounds
from switchgear.policies.leases import Lease, Leases
from switchgear.policies.limit_rule import Grant, LimitDenial, LimitRule, Past, Queued
from switchgear.policies.line import AGING, Plan, Waiter, pushed_too_far
from switchgear.policies.pace import Pace
from switchgear.policies.window import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchgear.calls import Quota
    from switchgear.clock import Moment

__all__ = ["AGING", "Grant", "Lease", "LimitDenial", "LimitRule", "Limiter", "Queued"]


class Limiter:
    """All limits of one service. Not thread-safe: its owner locks.

    First a place in flight is asked for, then the windows: as many of those in line as there are
    free places have an instant, the others wait until a place comes free.

    *wakers* collects callbacks of waiters who can go earlier than they know; the owner calls them
    after it has released its lock.
    """

    def __init__(self, rules: Iterable[LimitRule]) -> None:
        self.wakers: list[Callable[[], None]] = []
        rules = tuple(rules)
        self._bounds: Final = Bounds(rule for rule in rules if rule.window_us)
        self._concurrent = next((rule for rule in rules if not rule.window_us), None)
        self._in_flight = 0
        self._line: list[Waiter] = []
        self._slots: dict[int, Waiter] = {}
        self._next_slot = 1
        self._plan: Plan | None = None  # kept only as long as nothing changes
        self._untold = False  # whether somebody in line may be able to go earlier than it knows
        self._pace: Pace | None = None
        self._leases: Final = Leases()

    @property
    def rules(self) -> tuple[LimitRule, ...]:
        """Every rule in force."""
        windows = tuple(bound.rule for bound in self._bounds.each)
        return windows if self._concurrent is None else (*windows, self._concurrent)

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._line)

    @property
    def in_flight(self) -> int:
        """Grants that are neither settled nor cancelled."""
        return self._in_flight

    def ask(
        self,
        tokens: int,
        now: Moment,
        max_wait: int,
        waker: Callable[[], None] | None = None,
        *,
        priority: int = 0,
        lease: Lease | None = None,
    ) -> Grant | Queued | LimitDenial:
        """Take what a call of *tokens* needs, now or at a slot within *max_wait* microseconds.

        Args:
            tokens: what it needs of every limit on tokens; of those on requests it needs 1.
            now: the time.
            max_wait: how long it will wait; 0: not at all.
            waker: see *wakers*.
            priority: higher ones go first; but see *AGING*.
            lease: for how long the grant may stay unsettled; None: for ever.
        """
        bounds, cap, pace = self._bounds, self._concurrent, self._pace
        if (
            self._line
            or (pace is not None and not pace.lets_go(now.mono))
            or self._leases.heap
            or (cap is not None and self._in_flight >= cap.limit)
            or not bounds.have_room(tokens, now)
        ):
            return self._ask_in_line(tokens, now, max_wait, waker, priority, lease)
        if lease is not None or pace is not None:
            return self._take(tokens, now.mono, lease)
        self._in_flight += 1
        return bounds.take(tokens, now.mono)

    def attach(self, slot: int, waker: Callable[[], None]) -> None:
        """Let *waker* be called (see *wakers*) for who has just been given *slot*."""
        self._slots[slot].waker = waker

    def check(self, tokens: int, now: Moment) -> LimitDenial | None:
        """Return what *ask* without patience would deny, None if it would grant; nothing is taken."""
        if self._is_free(tokens, now):
            return None
        denial = self._bounds.too_large(tokens, now)
        if denial is not None:
            return denial
        at, rule = self._earliest(tokens, now)
        return self._denial(rule, tokens, at, now) if at > now.mono else None

    def rehearsal(self) -> Limiter:
        """Return a twin to try a call on: nothing of it reaches this one, or anybody in line."""
        kept = {id(rule): rule for rule in self.rules}  # rules are told apart by identity
        return deepcopy(self, {**kept, id(self.wakers): [], id(self._plan): None})

    def resume(self, slot: int, now: Moment) -> Grant | Queued | LimitDenial | None:
        """Ask again with *slot*: the grant if its time has come. None: there is no such slot."""
        waiter = self._slots.get(slot)
        if waiter is None:
            return None
        self._catch_up(now)
        return self._answer(waiter, self._line.index(waiter), now)

    def withdraw(self, slot: int, now: Moment) -> None:
        """Give *slot* back; those behind it move up."""
        waiter = self._slots.pop(slot, None)
        if waiter is not None:
            self._line.remove(waiter)
            self._freed(now)

    def settle(self, grant: Grant, tokens: int, now: Moment) -> None:
        """Correct *grant* to the *tokens* really used and free its place in flight; once.

        What is in no window any more is neither credited nor charged.
        """
        if not grant.open:
            return
        surplus = grant.tokens - tokens
        if surplus:
            self._bounds.correct(grant, surplus, now.mono)
            if self._pace is not None:
                self._pace.gave(surplus)
        self._close(grant, now)

    def cancel(self, grant: Grant, now: Moment) -> None:
        """Undo *grant* as if it had never been asked for: nothing was sent."""
        if grant.open:
            self._undo(grant)
            self._close(grant, now)

    def renew(self, grant: Grant, now: Moment) -> bool:
        """Count *grant* at *now*, when its call can go, instead of when it was taken; False: it does not fit now."""
        self._catch_up(now)
        self._undo(grant)
        fits = self._bounds.renew(grant, now)
        if fits and self._pace is not None:
            self._pace.took(grant.tokens, now.mono, self._bounds.gap(grant.tokens))
        self._plan = None
        return fits

    def remember(self, at: int, requests: int, tokens: int, now: Moment) -> None:
        """Count past calls at monotonic *at*, told in order of time, before the first *ask*."""
        self._bounds.remember(self._bounds.each, Past(at, requests, tokens), now)

    def reconfigure(self, rules: Iterable[LimitRule], now: Moment, past: Iterable[Past] = ()) -> None:
        """Hold to *rules* from now on. What a limit of the same name and span has counted stays counted.

        A limit that is new counts *past* calls, in order of time. Those in line get new instants:
        earlier ones are woken, so are those whose call will never fit.
        """
        rules = tuple(rules)
        new = self._bounds.install(rule for rule in rules if rule.window_us)
        for calls in past:
            self._bounds.remember(new, calls, now)
        self._concurrent = next((rule for rule in rules if not rule.window_us), None)
        self.wakers += [
            one.waker for one in self._line if one.waker is not None and self._bounds.too_large(one.tokens, now)
        ]
        self._freed(now)

    def pause_until(self, at: int, now: Moment) -> None:
        """Let nobody go before monotonic *at*, as the provider asks; then those in line resume one by one.

        Ends after *LONGEST_PAUSE* at the latest.
        """
        self._pace = self._pace or Pace()
        self._pace.pause(at, now.mono)
        self._plan = None

    def observe(self, quotas: Iterable[Quota], now: Moment) -> None:
        """Hold to what the provider says is left, until it is reset; the latest word counts.

        Nothing left: everybody pauses. Less than our limits would let go till then: no more goes. Else they decide.
        """
        for quota in quotas:
            until = now.mono + micros(quota.resets_in)
            if self._pace is not None:
                self._pace.lift(quota.unit)
            if quota.remaining <= 0:
                self.pause_until(until, now)
            elif until > now.mono and quota.remaining < self._bounds.most(quota.unit, until - now.mono):
                self._pace = self._pace or Pace()
                self._pace.quota(quota.unit, quota.remaining, until, now.mono)
        self._freed(now)

    def usage(self, now: Moment, tokens: int = 1) -> list[tuple[LimitRule, int, int | None]]:
        """Return for each limit: the rule, what is used, and when a call of *tokens* fits by it alone (None: now)."""
        self._catch_up(now)
        rows = [(bound.rule, *bound.usage(now, tokens if bound.by_token else 1)) for bound in self._bounds.each]
        if self._concurrent is not None:
            rows.append((self._concurrent, self._in_flight, None))
        return rows

    def reset(self, now: Moment) -> None:
        """Forget everything that is counted, and what the provider has asked for. Calls in flight stay so."""
        self._bounds.clear()
        self._pace = None
        self._freed(now)

    def is_idle(self, now: Moment) -> bool:
        """Whether a new limiter with these rules would give the same answers."""
        self._catch_up(now)
        busy = self._line or self._pace is not None or (self._concurrent is not None and self._in_flight)
        return not busy and not any(bound.used(now) for bound in self._bounds.each)

    def _ask_in_line(
        self,
        tokens: int,
        now: Moment,
        max_wait: int,
        waker: Callable[[], None] | None,
        priority: int,
        lease: Lease | None,
    ) -> Grant | Queued | LimitDenial:
        mono = now.mono
        if self._is_free(tokens, now):
            return self._take(tokens, mono, lease)
        denial = self._bounds.too_large(tokens, now)
        if denial is not None:
            return denial
        line = self._line
        if not line or line[-1].priority >= priority:
            at, rule = self._earliest(tokens, now)
            if at <= mono:
                return self._take(tokens, mono, lease)
            if max_wait <= 0 or (at > mono + max_wait and rule is not self._concurrent):
                return self._denial(rule, tokens, at, now)
        waiter = Waiter(tokens, mono, mono + max_wait, priority, lease)
        waiter.waker = waker
        index = self._place(waiter, now)
        return self._answer(waiter, index, now)

    def _take(self, tokens: int, at: int, lease: Lease | None) -> Grant:
        grant = self._bounds.take(tokens, at)
        self._in_flight += 1
        self._plan = None
        if self._pace is not None:
            self._pace.took(tokens, at, self._bounds.gap(tokens) if self._pace.resumes else 0)
        if lease is not None:
            self._leases.add(grant, at, lease, self._in_flight)
        return grant

    def _is_free(self, tokens: int, now: Moment) -> bool:
        """Whether a call of *tokens* takes no unit of anything, so that nobody is served later for it."""
        self._catch_up(now)
        if self._concurrent is not None or self._pace is not None:
            return False
        return self._bounds.are_free(tokens)

    def _earliest(self, tokens: int, now: Moment) -> tuple[int, LimitRule | None]:
        """Return when a newcomer could go, and what it would wait for; *NEVER*: that is not foreseeable."""
        line = self._line
        if self._concurrent is not None and len(line) >= self._seats():
            return NEVER, self._concurrent
        return self._plan_to(len(line), now).ready(tokens, now.mono)

    def _denial(self, rule: LimitRule | None, tokens: int, at: int, now: Moment) -> LimitDenial:
        rule = self._named(rule)
        if rule is self._concurrent:
            return LimitDenial(rule=rule, used=self._in_flight, needed=1, ready_at=None if at == NEVER else at)
        return LimitDenial(
            rule=rule,
            used=self._bounds.used(rule, now),
            needed=tokens if rule.unit == "tokens" else 1,
            ready_at=at,
        )

    def _place(self, waiter: Waiter, now: Moment) -> int:
        """Put *waiter* in line, before those of lower priority that it pushes not too far back; return its place."""
        line = self._line
        index = len(line)
        if not line or line[-1].priority >= waiter.priority:
            line.append(waiter)
            return index
        self._plan_to(index, now)
        before = [one.go_at for one in line]
        while index and line[index - 1].priority < waiter.priority and before[index - 1] > now.mono:
            index -= 1
        while index < len(line):
            line.insert(index, waiter)
            self._plan = None
            self._plan_to(len(line), now)
            pushed = pushed_too_far(line, index, before, now.mono)
            if pushed == index:
                return index
            del line[index]
            self._plan = None
            index = pushed
        line.append(waiter)
        return index

    def _answer(self, waiter: Waiter, index: int, now: Moment) -> Grant | Queued | LimitDenial:
        """Serve the *waiter* at *index*, or tell it until when to wait, or send it away."""
        self._plan_to(index + 1, now)
        is_seated = index < self._seats()
        goes = is_seated and waiter.go_at <= now.mono
        waits = waiter.go_at <= waiter.deadline if is_seated else now.mono < waiter.deadline
        if waits and not goes and not waiter.never:
            waiter.told = waiter.go_at
            if not waiter.slot:
                waiter.slot, self._next_slot = self._next_slot, self._next_slot + 1
                self._slots[waiter.slot] = waiter
            return Queued(slot=waiter.slot, go_at=waiter.go_at, rule=self._named(waiter.rule))
        del self._line[index]
        self._slots.pop(waiter.slot, None)
        if goes and not waiter.never:
            grant = self._take(waiter.tokens, now.mono, waiter.lease)
            if self._untold:
                self._call_up(now)
            return grant
        at = waiter.go_at if is_seated else NEVER
        denial = self._bounds.too_large(waiter.tokens, now) or self._denial(waiter.rule, waiter.tokens, at, now)
        self._freed(now)
        return denial

    def _named(self, rule: LimitRule | None) -> LimitRule:
        """Return *rule*, or else what the last in line waits for: a newcomer behind it waits for it too."""
        return rule or (self._line[-1].rule if self._line else None) or self.rules[0]

    def _undo(self, grant: Grant) -> None:
        self._bounds.give_all(grant)
        if self._pace is not None:
            self._pace.gave(grant.tokens, 1)

    def _close(self, grant: Grant, now: Moment) -> None:
        grant.open = False
        self._in_flight -= 1
        self._freed(now)

    def _freed(self, now: Moment) -> None:
        """Make a new plan and wake whoever can go earlier now."""
        self._plan = None
        if self._line:
            self._untold = True
            self._call_up(now)

    def _call_up(self, now: Moment) -> None:
        """Wake those whose time has come earlier than they know, and the first whose has not come yet.

        The others are woken when that one has gone: nobody can go before it.
        """
        for index, waiter in enumerate(self._line):
            self._plan_to(index + 1, now)
            if waiter.go_at < waiter.told:
                waiter.told = waiter.go_at
                if waiter.waker is not None:
                    self.wakers.append(waiter.waker)
            if waiter.go_at > now.mono:
                return
        self._untold = False

    def _catch_up(self, now: Moment) -> None:
        """Let time take its effect: on leases, on the pace, on a plan whose first one is late."""
        for grant, returned in self._leases.over(now.mono):
            if returned:
                self._undo(grant)
            self._close(grant, now)
        if self._pace is not None and not self._line and self._pace.is_over(now.mono):
            self._pace = None
        if not self._line or self._bounds.by_wall or self._line[0].go_at < now.mono:
            self._plan = None

    def _seats(self) -> int:
        """Return how many in line have a place in flight that is free now."""
        return NEVER if self._concurrent is None else max(0, self._concurrent.limit - self._in_flight)

    def _plan_to(self, count: int, now: Moment) -> Plan:
        """Return the plan, with the first *count* in line taken in."""
        plan = self._plan = Plan(self._bounds, self._pace, now) if self._plan is None else self._plan
        if plan.count < count:
            plan.extend(self._line, count, self._seats(), (self._leases.next_at(), self._concurrent))
        return plan
