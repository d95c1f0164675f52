"""Limits beside those of the service: of whom a call is for. Its owner locks.

A call asks its scopes first, one after the other, and the service last. Who waits stands in one line
only: nobody who waits for a limit of his own keeps a place in the service's line, so he is in
nobody's way. What a scope has granted before the call could go is counted anew when it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.policies.limiter import Grant, LimitDenial, Limiter, Queued
from switchgear.state.memory_views import limit_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchgear.clock import Moment
    from switchgear.policies.limiter import LimitRule
    from switchgear.state.base import LimitView

__all__ = ["Scopes", "Stand", "wakers_of"]


class Stand:
    """How far one call has come: granted by the first so many of its limiters, perhaps in the line of the next.

    Args:
        scopes: names and limiters of the call's scopes.
        service: the limiter that is asked last.
        deadline: monotonic microseconds until which the caller waits at most.
    """

    __slots__ = ("_deadline", "_limiters", "_names", "_slot", "_taken", "grants")

    def __init__(self, scopes: Sequence[tuple[str, Limiter]], service: Limiter, deadline: int) -> None:
        self._names: Final = tuple(name for name, _ in scopes)
        self._limiters: Final = (*(limiter for _, limiter in scopes), service)
        self._deadline: Final = deadline
        self._slot: int | None = None
        self._taken: list[int] = []
        self.grants: list[Grant] = []

    @property
    def scope(self) -> str | None:
        """Whose answer was the last one; None: the service's."""
        at = len(self.grants)
        return self._names[at] if at < len(self._names) else None

    @property
    def scoped(self) -> list[tuple[Limiter, Grant]]:
        """What the scopes have granted."""
        return list(zip(self._limiters[:-1], self.grants, strict=False))

    def advance(self, tokens: int, now: Moment, waker: Callable[[], None] | None) -> Grant | Queued | LimitDenial:
        """Ask on; return the service's grant once everybody has said yes, at *now*. A denial gives everything back."""
        while True:
            answer = self._ask(tokens, now, waker)
            if not isinstance(answer, Grant):
                if isinstance(answer, LimitDenial):
                    self._cancel(now)
                return answer
            if self._renew(now):
                return answer
            # A window has moved on while another was waited for, and has no room any more.
            self._cancel(now)
            self.grants, self._taken = [], []

    def give_back(self, now: Moment) -> None:
        """Give back what was granted, and the place in line."""
        if self._slot is not None:
            self._limiters[len(self.grants)].withdraw(self._slot, now)
            self._slot = None
        self._cancel(now)

    def wakers(self) -> list[Callable[[], None]]:
        """Return, and forget, the callbacks of those whom the scopes let go earlier."""
        return wakers_of(self._limiters[:-1])

    def _ask(self, tokens: int, now: Moment, waker: Callable[[], None] | None) -> Grant | Queued | LimitDenial:
        answer: Grant | Queued | LimitDenial | None = None
        for limiter in self._limiters[len(self.grants) :]:
            answer = None if self._slot is None else limiter.resume(self._slot, now)
            self._slot = None
            if answer is None:
                answer = limiter.ask(tokens, now, max(0, self._deadline - now.mono), waker)
            if isinstance(answer, Queued):
                self._slot = answer.slot
            if not isinstance(answer, Grant):
                return answer
            self.grants.append(answer)
            self._taken.append(now.mono)
        return self.grants[-1]

    def _renew(self, now: Moment) -> bool:
        stands = zip(self._limiters, self.grants, self._taken, strict=True)
        return all(limiter.renew(grant, now) for limiter, grant, at in stands if at != now.mono)

    def _cancel(self, now: Moment) -> None:
        for limiter, grant in zip(self._limiters, self.grants, strict=False):
            limiter.cancel(grant, now)


class Scopes:
    """The limiters of all scopes, by name."""

    def __init__(self) -> None:
        self._limiters: Final[dict[str, Limiter]] = {}

    def set(self, name: str, rules: Iterable[LimitRule], now: Moment) -> list[Callable[[], None]]:
        """Hold scope *name* to *rules*; return the callbacks of those who can go earlier for it."""
        limiter = self._limiters.get(name)
        if limiter is None:
            self._limiters[name] = Limiter(rules)
            return []
        limiter.reconfigure(rules, now)
        return wakers_of((limiter,))

    def get(self, name: str) -> Limiter | None:
        """Return the limiter of scope *name*, if it has rules."""
        return self._limiters.get(name)

    def found(self, names: Iterable[str]) -> list[tuple[str, Limiter]]:
        """Return those of *names* that have rules."""
        return [(name, limiter) for name in names if (limiter := self._limiters.get(name)) is not None]

    def views(self, now: Moment) -> tuple[LimitView, ...]:
        """Return one view for each limit, sorted by scope and rule."""
        return tuple(view for name in sorted(self._limiters) for view in limit_views(name, self._limiters[name], now))


def wakers_of(limiters: Iterable[Limiter]) -> list[Callable[[], None]]:
    """Return, and forget, the callbacks that *limiters* have collected."""
    found: list[Callable[[], None]] = []
    for limiter in limiters:
        if limiter.wakers:
            found += limiter.wakers
            limiter.wakers = []
    return found
