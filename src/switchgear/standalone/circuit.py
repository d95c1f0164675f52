"""A breaker's rule with what it needs to be used from threads and tasks: a lock, a clock, listeners."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.errors import BreakerOpen
from switchgear.events import BreakerChanged, CircuitName
from switchgear.policies.breaker_refusal import breaker_open
from switchgear.standalone.delivery import Delivery
from switchgear.standalone.verdicts import asked_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Refusal
    from switchgear.clock import Clock, Moment
    from switchgear.policies.breaker import Breaker, Change, Judgement, Permit
    from switchgear.standalone.verdicts import Judge

__all__ = ["BreakerStats", "Circuit", "Entry"]

_MOST_UNTOLD: Final = 255


class BreakerStats(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker at one instant.

    Attributes:
        failures: failures in a row.
        calls: calls in the window, of which *failed* failed and *slow* were slow.
        failure_rate: *failed* as a share of *calls*; None without calls. Likewise *slow_rate*.
        opened_times: openings since it was last closed.
        opened_at: epoch seconds of the last opening; None: never opened. *since*: of the last change.
        rejected: calls turned away since it was made or reset.
        probes: trial calls under way.
        time_remaining: seconds until an open circuit lets a trial call pass, else 0.
        reason: why it last changed, as a sentence.
    """

    name: str
    state: CircuitName
    failures: int
    calls: int
    failed: int
    slow: int
    failure_rate: float | None
    slow_rate: float | None
    opened_times: int
    opened_at: float | None
    since: float
    rejected: int
    probes: int
    time_remaining: float
    reason: str | None


class Entry:
    """Leave to make one call; while a circuit is closed, all its calls share one.

    Attributes:
        permit: what the rule gave.
        good: monotonic seconds at which calls succeeded that the rule has not been told of yet.
    """

    __slots__ = ("good", "permit")

    def __init__(self, permit: Permit) -> None:
        self.permit: Final = permit
        self.good: Final[deque[float]] = deque()


class Circuit:
    """One breaker, safe to be used from many threads and tasks at once.

    The lock is held for bookkeeping, never during a call, a predicate or a listener. A closed
    circuit is entered without it. As long as too little in the window speaks against the service
    for a success to make a difference, successes are noted without it too, and told to the rule by
    whoever needs the numbers next.
    """

    def __init__(self, name: str, breaker: Breaker, judge: Judge, clock: Clock) -> None:
        self.name: Final = name
        self.breaker: Final = breaker
        self.judge: Final = judge
        self.is_timed: Final = breaker.rule.slow_us is not None
        self.is_judged: Final = judge.is_failure is not None
        # Re-entrant: an abandoned generator is closed wherever garbage collection strikes.
        self._lock: Final = threading.RLock()
        self._clock: Final = clock
        self._monotonic: Final = clock.monotonic
        self._slow_us: Final = breaker.rule.slow_us
        self._delivery: Final[Delivery[BreakerChanged]] = Delivery()
        self.subscribe: Final = self._delivery.subscribe
        self._since = clock.now()
        self._opened_at: float | None = None
        self.way: Entry | None = None
        """The entry of every call; None: *ask* for one."""
        self._calm: Entry | None = None  # the same, while successes need no lock
        self._update()

    def ask(self) -> Entry:
        """Return leave for one call.

        Raises:
            BreakerOpen: there is none.
        """
        now = self._clock.moment()
        breaker = self.breaker
        with self._lock:
            self._poll(now)
            rejection = breaker.check(now.mono)
            if rejection is not None:
                answer: Entry | Refusal = breaker_open(self.name, rejection, breaker, now)
            else:
                answer = self.way or Entry(breaker.take(now.mono))
        self._delivery.send()
        if isinstance(answer, Entry):
            return answer
        raise BreakerOpen(answer)

    def ticks(self) -> int:
        """Return the monotonic clock in whole microseconds."""
        return int(self._monotonic() * 1e6 + 0.5)

    def succeed(self, entry: Entry, started: int) -> None:
        """Take in that a call entered with *entry* at *started* succeeded."""
        if entry is self._calm:
            at = self._monotonic()
            if self._slow_us is None or at * 1e6 - started <= self._slow_us:
                good = entry.good
                good.append(at)
                if len(good) > _MOST_UNTOLD:
                    self.state()
                return
        self.settle(entry, started, "success")

    def finish(self, entry: Entry, started: int, result: object) -> None:
        """Take in that a call returned *result*, which is to be judged."""
        judgement = self.judge.of_result(result)
        if judgement == "success":
            self.succeed(entry, started)
        else:
            self.settle(entry, started, judgement, asked_us(result, self._clock.now()))

    def fail(self, entry: Entry, started: int, error: BaseException) -> None:
        """Take in that a call raised *error*."""
        self.settle(entry, started, *self.judge.of_error(error, self._clock.now()))

    def settle(self, entry: Entry, started: int, judgement: Judgement, asked: int | None = None) -> None:
        """Take in what a call said, and for how many microseconds it asked to be left alone."""
        ended = int(self._monotonic() * 1e6 + 0.5)
        breaker, lock = self.breaker, self._lock
        lock.acquire()  # twice as fast as `with`
        try:
            if self.way is not None and self.way.good:
                self._tell(self.way)
            change = breaker.record(entry.permit, judgement, ended, asked, ended - started)
            if change is not None:
                self._note(change, self._clock.moment())
            if change is not None or breaker.calm is not (self._calm is not None):
                self._update()
        finally:
            lock.release()
        self._delivery.send()

    def state(self) -> CircuitName:
        """Return the state, after time has taken its effect."""
        now = self._clock.moment()
        with self._lock:
            self._poll(now)
            state = self.breaker.state
        self._delivery.send()
        return state

    def command(self, verb: Callable[[], Change | None]) -> None:
        """Do *verb*, a method of the breaker, by hand."""
        now = self._clock.moment()
        with self._lock:
            self._poll(now)
            self._note(verb(), now)
            self._update()
        self._delivery.send()

    def stats(self) -> BreakerStats:
        """Return its numbers, after time has taken its effect."""
        now = self._clock.moment()
        with self._lock:
            self._poll(now)
            stats = self._stats(now)
        self._delivery.send()
        return stats

    def _stats(self, now: Moment) -> BreakerStats:
        breaker = self.breaker
        calls, failed, probes = breaker.counts(now.mono)
        slow = breaker.slow_calls(now.mono)
        return BreakerStats(
            name=self.name,
            state=breaker.state,
            failures=breaker.failures,
            calls=calls,
            failed=failed,
            slow=slow,
            failure_rate=failed / calls if calls else None,
            slow_rate=slow / calls if calls else None,
            opened_times=breaker.opened_times,
            opened_at=self._opened_at,
            since=self._since,
            rejected=breaker.rejected,
            probes=probes,
            time_remaining=(breaker.until - now.mono) / MICROS if breaker.state == "open" else 0.0,
            reason=breaker.reason,
        )

    def _poll(self, now: Moment) -> None:
        """Bring the rule up to date; under the lock, as all that follow."""
        if self.way is not None:
            self._tell(self.way)
        change = self.breaker.poll(now.mono)
        if change is not None:
            self._note(change, now)
            self._update()

    def _tell(self, entry: Entry) -> None:
        """Tell the rule of the successes that it has not been told of."""
        good = entry.good
        if not good:
            return
        times = []
        with contextlib.suppress(IndexError):  # a stream collected as garbage just now may have been here too
            for _ in range(len(good)):
                times.append(good.popleft())  # noqa: PERF401 - keeps what it has got
        if self.breaker.record_good(entry.permit, len(times), int(max(times) * 1e6 + 0.5)):
            return
        for at in times:
            change = self.breaker.record(entry.permit, "success", int(at * 1e6 + 0.5))
            if change is not None:
                self._note(change, self._clock.moment())
        self._update()

    def _update(self) -> None:
        leave = self.breaker.leave
        if leave is None:
            self.way = None
        elif self.way is None or self.way.permit is not leave:
            self.way = Entry(leave)
        self._calm = self.way if self.breaker.calm else None

    def _note(self, change: Change | None, now: Moment) -> None:
        """Queue the event of *change*."""
        if change is None:
            return
        at = now.wall / MICROS
        if change.new != change.old:
            self._since = at
        if change.new == "open":
            self._opened_at = at
        self._delivery.put(
            BreakerChanged(
                service=self.name,
                old=change.old,
                new=change.new,
                reason=change.reason,
                at=now.wall,
                opened_times=change.opened_times,
                until=None if change.until is None else now.wall + change.until - now.mono,
            )
        )
