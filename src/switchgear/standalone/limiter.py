"""``RateLimiter``: several limits at once, for any code, sync and async."""

from __future__ import annotations

import asyncio
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from switchgear.clock import MICROS, SystemClock, micros
from switchgear.errors import refused
from switchgear.policies.limit_refusal import rate_limited
from switchgear.policies.limiter import Grant as Units
from switchgear.policies.limiter import Lease, LimitRule, Queued
from switchgear.standalone.arguments import duration_us, whole
from switchgear.standalone.grant import Check, Denied, Grant
from switchgear.standalone.limit_stats import LimiterStats, LimitStats, guarantee_of
from switchgear.standalone.turnstile import Turnstile
from switchgear.waiting import async_turn, threadsafe_waker, turn
from switchgear.wire.outcomes import retry_after_of
from switchgear.wire.quotas import quotas_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from switchgear.calls import Quota, Refusal, Unit
    from switchgear.clock import Clock, Moment
    from switchgear.policies.limiter import LimitDenial, Limiter

__all__ = ["RateLimiter"]

_MINUTE: Final = 60 * MICROS
_DAY: Final = 86_400 * MICROS

_LIMITS: Final[tuple[tuple[str, Unit, int], ...]] = (
    ("requests_per_minute", "requests", _MINUTE),
    ("requests_per_day", "requests", _DAY),
    ("tokens_per_minute", "tokens", _MINUTE),
    ("tokens_per_day", "tokens", _DAY),
    ("concurrent", "calls", 0),
)

Expiry = Literal["charge", "return"]


class RateLimiter:
    """Lets calls through as several limits allow, all or nothing, first come, first served.

    Windows are exact: never more than the limit in any 60 seconds or 24 hours (see *guarantee*).
    Safe for threads and asyncio tasks, mixed. Durations are seconds, a *timedelta* or text such as ``"30s"``.

    Args:
        name: the service's, in errors and numbers.
        requests_per_minute: calls in any 60 seconds; None: no such limit. Likewise the others.
        requests_per_day: calls in any 24 hours, or on a calendar day if there is a *timezone*.
        tokens_per_minute: tokens in any 60 seconds.
        tokens_per_day: tokens in any 24 hours, or on a calendar day if there is a *timezone*.
        concurrent: calls at the same time: granted, and neither settled nor released.
        max_wait: the longest that *acquire* waits if it isn't told otherwise.
        timezone: where the days of limits per day are cut, e.g. ``America/Los_Angeles``; None: they roll.
        clock: the source of time.

    Raises:
        ValueError: an argument is out of its range or not of its kind.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing that can be set
        self,
        name: str,
        *,
        requests_per_minute: int | None = None,
        requests_per_day: int | None = None,
        tokens_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        concurrent: int | None = None,
        max_wait: float | dt.timedelta | str = 60.0,
        timezone: str | None = None,
        clock: Clock = SystemClock(),  # noqa: B008 - it has no state
    ) -> None:
        self.name: Final = _checked_name(name)
        self._max_wait_us: Final = duration_us("max_wait", max_wait, zero=True)
        self._timezone: Final = _checked_zone(timezone)
        limits = {
            "requests_per_minute": requests_per_minute,
            "requests_per_day": requests_per_day,
            "tokens_per_minute": tokens_per_minute,
            "tokens_per_day": tokens_per_day,
            "concurrent": concurrent,
        }
        self._turnstile: Final = Turnstile(_rules(limits, self._timezone), clock)

    def try_acquire(self, tokens: int = 0) -> Grant | Denied:
        """Return a *Grant* for a call of at most *tokens*, or a *Denied*, which is false; never waits.

        Raises:
            ValueError: *tokens* is no whole number from 0 on.
        """
        if type(tokens) is not int or tokens < 0:
            whole("tokens", tokens, least=0)
        answer, now = self._turnstile.ask(tokens, 0)
        if isinstance(answer, Units):
            return Grant(self._turnstile, answer, 0.0)
        return Denied(self._refusal(answer, now))

    def acquire(
        self,
        tokens: int = 0,
        max_wait: float | dt.timedelta | str | None = None,
        *,
        priority: int = 0,
        reservation_ttl: float | dt.timedelta | str | None = None,
        on_expiry: Expiry = "charge",
    ) -> Grant:
        """Return a *Grant* for a call of at most *tokens*, after blocking for up to *max_wait* if need be.

        Args:
            tokens: counts against limits on tokens until it is settled.
            max_wait: None: as the limiter says; 0: not at all.
            priority: higher ones go first; nobody who has waited for 30 seconds is overtaken.
            reservation_ttl: after how long a grant that nobody has settled is taken for lost, and its
                place in flight for free; None: never.
            on_expiry: what then becomes of its units: they stay charged (``charge``) or come back (``return``).

        Raises:
            RateLimited: there is no room within *max_wait*; known and raised at once.
            ImpossibleError: *tokens* is more than a limit allows at all; raised at once.
            RuntimeError: it would block the event loop that runs in this thread: use *acquire_async*.
            ValueError: an argument is not usable.
        """
        wake: threading.Event | None = None

        def new_waker() -> Callable[[], None]:
            nonlocal wake
            wake = threading.Event()
            return wake.set

        lease = _lease(reservation_ttl, on_expiry)
        wait_us = self._wait_us(tokens, max_wait, priority)
        answer, now = self._turnstile.ask(tokens, wait_us, new_waker, priority=priority, lease=lease)
        asked = now
        while isinstance(answer, Queued) and wake is not None:
            if _loop_is_running():
                self._turnstile.withdraw(answer.slot)
                msg = f"acquire() of {self.name!r} would block the running event loop; await acquire_async()"
                raise RuntimeError(msg)
            turn(answer, wake, self._turnstile.clock, self._turnstile.withdraw)
            answer, now = self._turnstile.resume(answer.slot)
        return self._granted(answer, asked, now)

    async def acquire_async(
        self,
        tokens: int = 0,
        max_wait: float | dt.timedelta | str | None = None,
        *,
        priority: int = 0,
        reservation_ttl: float | dt.timedelta | str | None = None,
        on_expiry: Expiry = "charge",
    ) -> Grant:
        """The same for tasks: waits without blocking the loop; a cancelled waiter gives its place back."""
        wake: asyncio.Event | None = None

        def new_waker() -> Callable[[], None]:
            nonlocal wake
            wake = asyncio.Event()
            return threadsafe_waker(wake)

        lease = _lease(reservation_ttl, on_expiry)
        wait_us = self._wait_us(tokens, max_wait, priority)
        answer, now = self._turnstile.ask(tokens, wait_us, new_waker, priority=priority, lease=lease)
        asked = now
        while isinstance(answer, Queued) and wake is not None:
            await async_turn(answer, wake, self._turnstile.clock, self._turnstile.withdraw)
            answer, now = self._turnstile.resume(answer.slot)
        return self._granted(answer, asked, now)

    def check(self, tokens: int = 0) -> Check:
        """Tell whether a call of *tokens* would pass now, and else why not and when; takes nothing."""
        whole("tokens", tokens, least=0)
        denial, now = self._turnstile.read(lambda limiter, now: limiter.check(tokens, now))
        return Check(refusal=None if denial is None else self._refusal(denial, now))

    def observe(self, headers: Mapping[str, str]) -> None:
        """Hold to what the *headers* of an answer say of the provider's own limits.

        Reads ``x-ratelimit-*``, ``anthropic-ratelimit-*`` and ``retry-after``. Where nothing is left,
        or it asks to be left alone, everybody pauses until it is over, then resumes one by one at
        the rate that is configured.
        """
        pairs = [(str(name), str(value)) for name, value in headers.items()]
        epoch = self._turnstile.clock.now()
        quotas, retry_after = quotas_of(pairs, epoch), retry_after_of(pairs, epoch)
        if quotas or retry_after is not None:
            self._turnstile.read(lambda limiter, now: _observe(limiter, quotas, retry_after, now))

    def pause(self, duration: float | dt.timedelta | str) -> None:
        """Let nobody through for *duration*, an hour at most; then those who wait resume one by one."""
        pause_us = duration_us("duration", duration)
        self._turnstile.read(lambda limiter, now: limiter.pause_until(now.mono + pause_us, now))

    def reconfigure(self, **limits: int | None) -> None:
        """Change *limits* (those of the constructor; None lifts one) and keep what is counted.

        Those who wait get new instants, and are woken if these are earlier.

        Raises:
            ValueError: a limit is not usable.
            TypeError: there is no such limit.
        """
        known = {name for name, _, _ in _LIMITS}
        if unknown := sorted(set(limits) - known):
            msg = f"no limit is called {unknown[0]!r}; there are {', '.join(sorted(known))}"
            raise TypeError(msg)
        zone = self._timezone

        def change(limiter: Limiter, now: Moment) -> None:
            there: dict[str, int | None] = {rule.name: rule.limit for rule in limiter.rules}
            limiter.reconfigure(_rules({**there, **limits}, zone), now)

        self._turnstile.read(change)

    @property
    def guarantee(self) -> str:
        """What the limits promise, in words: each bound, and by how much it errs on the strict side."""
        return guarantee_of(self._turnstile.rules)

    @property
    def settings(self) -> Mapping[str, object]:
        """Every setting in force; durations in seconds."""
        limits = {rule.name: rule.limit for rule in self._turnstile.rules}
        return MappingProxyType(
            {
                **{name: limits.get(name) for name, _, _ in _LIMITS},
                "max_wait": self._max_wait_us / MICROS,
                "timezone": self._timezone,
            }
        )

    def stats(self) -> LimiterStats:
        """Return its numbers."""
        (rows, in_flight, waiting), now = self._turnstile.read(
            lambda limiter, now: (limiter.usage(now), limiter.in_flight, limiter.waiting)
        )
        return LimiterStats(
            name=self.name,
            limits=tuple(
                LimitStats(
                    rule=rule.name,
                    unit=rule.unit,
                    limit=rule.limit,
                    window=rule.window_us / MICROS,
                    used=used,
                    remaining=max(0, rule.limit - used),
                    free_in=_free_in(rule, used, free_at, now),
                )
                for rule, used, free_at in rows
            ),
            in_flight=in_flight,
            waiting=waiting,
            admitted=self._turnstile.admitted,
            refused=self._turnstile.refused,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the same as plain values, ready for JSON."""
        return {**msgspec.to_builtins(self.stats()), "guarantee": self.guarantee}

    def reset(self) -> None:
        """Forget everything that is counted; calls in flight stay in flight, and those who wait go on."""
        self._turnstile.reset()

    def retire(self, on_use: Callable[[], None]) -> bool:
        """If a new limiter would answer the same, call *on_use* when that changes; return whether it is so."""
        return self._turnstile.retire(on_use)

    def __repr__(self) -> str:
        return f"<RateLimiter {self.name!r}: {self.guarantee}>"

    def _wait_us(self, tokens: int, max_wait: float | dt.timedelta | str | None, priority: int) -> int:
        whole("tokens", tokens, least=0)
        if isinstance(priority, bool) or not isinstance(priority, int):
            msg = f"priority is a whole number, not {priority!r}"
            raise ValueError(msg)  # noqa: TRY004 - as for any other unusable number
        return self._max_wait_us if max_wait is None else duration_us("max_wait", max_wait, zero=True)

    def _granted(self, answer: Units | Queued | LimitDenial, asked: Moment, now: Moment) -> Grant:
        if isinstance(answer, Units):
            return Grant(self._turnstile, answer, (now.mono - asked.mono) / MICROS)
        raise refused(self._refusal(answer, now))

    def _refusal(self, answer: Units | Queued | LimitDenial, now: Moment) -> Refusal:
        # Who does not wait is never put in line, and who waits asks until there is a grant or a denial.
        return rate_limited(self.name, cast("LimitDenial", answer), now)


def _rules(limits: Mapping[str, int | None], timezone: str | None) -> Iterator[LimitRule]:
    for name, unit, window_us in _LIMITS:
        limit = limits.get(name)
        if limit is not None:
            zone = timezone if window_us == _DAY else None
            yield LimitRule(name=name, unit=unit, limit=whole(name, limit), window_us=window_us, timezone=zone)


def _checked_name(name: object) -> str:
    if isinstance(name, str) and name:
        return name
    msg = f"a limiter needs a name, not {name!r}"
    raise ValueError(msg)


def _checked_zone(timezone: object) -> str | None:
    if timezone is None:
        return None
    try:
        if isinstance(timezone, str):
            return ZoneInfo(timezone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    msg = f'timezone is the name of a time zone such as "America/Los_Angeles", not {timezone!r}'
    raise ValueError(msg)


def _lease(ttl: float | dt.timedelta | str | None, on_expiry: str) -> Lease | None:
    if on_expiry not in {"charge", "return"}:
        msg = f'on_expiry is "charge" or "return", not {on_expiry!r}'
        raise ValueError(msg)
    return None if ttl is None else Lease(us=duration_us("reservation_ttl", ttl), returned=on_expiry == "return")


def _observe(limiter: Limiter, quotas: tuple[Quota, ...], retry_after: float | None, now: Moment) -> None:
    limiter.observe(quotas, now)
    if retry_after is not None:
        limiter.pause_until(now.mono + micros(retry_after), now)


def _free_in(rule: LimitRule, used: int, free_at: int | None, now: Moment) -> float | None:
    if free_at is not None:
        return (free_at - now.mono) / MICROS
    return None if not rule.window_us and used >= rule.limit else 0.0


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
