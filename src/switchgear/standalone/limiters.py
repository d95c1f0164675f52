"""``RateLimiterRegistry``: one limiter for each name, and none kept that has nothing to remember."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from switchgear.standalone.limit_stats import LimiterStats
from switchgear.standalone.limiter import RateLimiter
from switchgear.standalone.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RateLimiterRegistry"]

_LOOKED_AT: Final = 4
"""Limiters that each new one makes room for: so those left behind go faster than new ones come."""


class RateLimiterRegistry(Registry[RateLimiter, LimiterStats]):
    """Keeps one *RateLimiter* for each name, also for names that are used once, such as a user's.

    A limiter whose windows are empty is let go, a day after its last call at the latest: a new one
    answers the same. If your code holds it still, it stays the one of its name, and is kept again
    from its next call on. A limiter that counts anything is never let go, however many there are.

    Args:
        settings: settings of *RateLimiter* for every limiter that says nothing else; ``clock``, say.
    """

    noun = "limiter"

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the settings of RateLimiter
        super().__init__()
        self._settings: Final = settings
        self._queue: Final[deque[str]] = deque()
        self._let_go: Final[weakref.WeakValueDictionary[str, RateLimiter]] = weakref.WeakValueDictionary()

    def get_or_create(self, name: str, **settings: Any) -> RateLimiter:  # noqa: ANN401 - as in the class above
        made: RateLimiter | None = None
        with self._lock:
            limiter = self._find(name)
        if limiter is None:
            made = self._make(name, settings)
            with self._lock:
                limiter = self._find(name) or self._add(made)
                self._look_at(_LOOKED_AT)
        if settings and limiter is not made:
            self._compare(name, limiter.settings, self._make(name, settings).settings)
        return limiter

    def get(self, name: str) -> RateLimiter | None:
        with self._lock:
            return self._find(name)

    def all(self) -> dict[str, RateLimiter]:
        with self._lock:
            self._look_at(len(self._queue))
            return dict(sorted({**self._let_go, **self._members}.items()))

    def sweep(self) -> int:
        """Let go of every limiter that has nothing to remember; return how many are kept."""
        with self._lock:
            self._look_at(len(self._queue))
            return len(self._members)

    def _make(self, name: str, settings: dict[str, Any]) -> RateLimiter:
        return RateLimiter(name, **{**self._settings, **settings})

    def _find(self, name: str) -> RateLimiter | None:
        limiter = self._members.get(name)
        if limiter is None and (limiter := self._let_go.get(name)) is not None:
            self._add(limiter)
        return limiter

    def _add(self, limiter: RateLimiter) -> RateLimiter:
        self._members[limiter.name] = limiter
        self._let_go.pop(limiter.name, None)
        self._queue.append(limiter.name)
        return limiter

    def _look_at(self, count: int) -> None:
        """Look at the *count* limiters that were looked at longest ago, and let go of those that are idle."""
        for _ in range(min(count, len(self._queue))):
            name = self._queue.popleft()
            limiter = self._members[name]
            if limiter.retire(self._keeper(limiter)):
                self._let_go[name] = self._members.pop(name)
            else:
                self._queue.append(name)

    def _keeper(self, limiter: RateLimiter) -> Callable[[], None]:
        found = weakref.ref(limiter)

        def keep() -> None:
            there = found()
            with self._lock:
                if there is not None and there.name not in self._members:
                    self._add(there)

        return keep
