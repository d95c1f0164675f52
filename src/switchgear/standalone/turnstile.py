"""A limiter's rule with what it needs to be used from threads and tasks: a lock, a clock, deferred returns."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from switchgear.locks import patiently
from switchgear.policies.limiter import Grant, LimitDenial, Limiter, Queued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchgear.clock import Clock, Moment
    from switchgear.policies.limiter import Lease, LimitRule

    Answer = Grant | Queued | LimitDenial

__all__ = ["Turnstile"]

R = TypeVar("R")


class Turnstile:
    """One limiter, safe to be used from many threads and tasks at once.

    The lock is held for bookkeeping, never during a wait or while somebody is woken. What gives
    something back never waits for it: if it is taken, whoever holds it does that work too. So
    garbage collection may close an abandoned stream at any point without a deadlock.

    Attributes:
        admitted: calls let through; *refused*: calls turned away, both since the last *reset*.
    """

    def __init__(self, rules: Iterable[LimitRule], clock: Clock) -> None:
        self.clock: Final = clock
        self._limiter: Final = Limiter(rules)
        self._lock: Final = threading.Lock()
        self._returned: Final[deque[Callable[[Moment], None]]] = deque()
        self._on_use: Callable[[], None] | None = None
        self.admitted = 0
        self.refused = 0

    @property
    def rules(self) -> tuple[LimitRule, ...]:
        """Every limit in force."""
        return self._limiter.rules

    def ask(
        self,
        tokens: int,
        max_wait_us: int,
        new_waker: Callable[[], Callable[[], None]] | None = None,
        *,
        priority: int = 0,
        lease: Lease | None = None,
    ) -> tuple[Answer, Moment]:
        """Ask the limiter; return its answer and when that was.

        Who has to wait gets the waker that *new_waker* makes.
        """
        limiter, lock = self._limiter, self._lock
        if not lock.acquire(blocking=False):
            patiently(lock)
        try:
            now = self.clock.moment()
            if self._returned:
                self._take_back(now)
            answer = limiter.ask(tokens, now, max_wait_us, priority=priority, lease=lease)
            if isinstance(answer, Grant):
                self.admitted += 1
            else:
                self._count(answer, new_waker)
            on_use, self._on_use = self._on_use, None
        finally:
            lock.release()
        if limiter.wakers or self._returned:
            self._after()
        if on_use is not None:
            on_use()
        return answer, now

    def resume(self, slot: int) -> tuple[Answer, Moment]:
        """Ask again with *slot*."""
        with self._lock:
            now = self.clock.moment()
            self._take_back(now)
            answer = self._limiter.resume(slot, now)
            if answer is None:
                msg = f"slot {slot} was given back"
                raise RuntimeError(msg)
            if isinstance(answer, Grant):
                self.admitted += 1
            else:
                self._count(answer)
        self._after()
        return answer, now

    def read(self, question: Callable[[Limiter, Moment], R]) -> tuple[R, Moment]:
        """Put *question* to the limiter, or have it changed; return the answer and when that was."""
        with self._lock:
            now = self.clock.moment()
            self._take_back(now)
            answer = question(self._limiter, now)
        self._after()
        return answer, now

    def reset(self) -> None:
        """Forget everything that is counted."""
        self.read(Limiter.reset)
        self.admitted = self.refused = 0

    def settle(self, grant: Grant, tokens: int) -> None:
        """Correct *grant* to *tokens* and free its place in flight."""
        if self._lock.acquire(blocking=False):
            try:
                self._limiter.settle(grant, tokens, self.clock.moment())
            finally:
                self._lock.release()
        else:
            self._returned.append(lambda now: self._limiter.settle(grant, tokens, now))
        if self._limiter.wakers or self._returned:
            self._after()

    def cancel(self, grant: Grant) -> None:
        """Undo *grant*."""
        self._returned.append(lambda now: self._limiter.cancel(grant, now))
        self._after()

    def withdraw(self, slot: int) -> None:
        """Give *slot* back."""
        self._returned.append(lambda now: self._limiter.withdraw(slot, now))
        self._after()

    def retire(self, on_use: Callable[[], None]) -> bool:
        """If nothing is counted and nobody waits, have *on_use* called when that changes; return whether it is so."""
        with self._lock:
            is_idle = not self._returned and self._limiter.is_idle(self.clock.moment())
            if is_idle:
                self._on_use = on_use
        self._after()
        return is_idle

    def _after(self) -> None:
        """With the lock released: take back what was returned meanwhile, and wake those who can go."""
        while (self._returned or self._limiter.wakers) and self._lock.acquire(blocking=False):
            try:
                self._take_back(self.clock.moment())
                wakers, self._limiter.wakers = self._limiter.wakers, []
            finally:
                self._lock.release()
            for waker in wakers:
                waker()

    def _take_back(self, now: Moment) -> None:
        while self._returned:
            self._returned.popleft()(now)

    def _count(self, answer: Queued | LimitDenial, new_waker: Callable[[], Callable[[], None]] | None = None) -> None:
        if isinstance(answer, LimitDenial):
            self.refused += 1
        elif new_waker is not None:
            self._limiter.attach(answer.slot, new_waker())
