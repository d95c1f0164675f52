"""``CircuitBreaker``: a circuit breaker for any function, block or stream, sync and async."""

from __future__ import annotations

import random as random_source
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast, get_args, overload

import msgspec

from switchgear.clock import MICROS, SystemClock
from switchgear.events import CircuitState
from switchgear.policies.breaker import Breaker, BreakerRule, RetryAfter
from switchgear.standalone.arguments import at_least, duration_us, share, whole
from switchgear.standalone.circuit import Circuit
from switchgear.standalone.presets import PRESETS
from switchgear.standalone.protect import protected, run
from switchgear.standalone.verdicts import Judge

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from switchgear.clock import Clock
    from switchgear.events import BreakerChanged
    from switchgear.standalone.circuit import BreakerStats, Entry
    from switchgear.standalone.verdicts import Excluded, IsFailure, OuterTimeout

__all__ = ["CircuitBreaker", "Permit"]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., Any]")

_HOUR_US: Final = 3600 * MICROS


class Permit:
    """Leave to make one call, from *CircuitBreaker.acquire*; to be settled once, later words are ignored.

    As a ``with`` or ``async with`` block it settles itself: a success, or by the exception.
    """

    __slots__ = ("_circuit", "_open", "_started")

    def __init__(self, circuit: Circuit) -> None:
        self._circuit: Final = circuit
        self._open: Final[list[Entry]] = [circuit.way or circuit.ask()]
        self._started: Final = circuit.ticks() if circuit.is_timed else 0

    def success(self) -> None:
        """The service did what was asked."""
        if (entry := self._take()) is not None:
            self._circuit.succeed(entry, self._started)

    def failure(self, error: BaseException | None = None) -> None:
        """The call failed; with *error* by the breaker's rules for it, so it may say nothing after all."""
        if (entry := self._take()) is None:
            return
        if error is None:
            self._circuit.settle(entry, self._started, "failure")
        else:
            self._circuit.fail(entry, self._started, error)

    def cancel(self) -> None:
        """Nothing is known about the service: give the place back."""
        if (entry := self._take()) is not None:
            self._circuit.settle(entry, self._started, "neutral")

    def _take(self) -> Entry | None:
        try:
            return self._open.pop()
        except IndexError:
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.success()
        else:
            self.failure(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


_entered: ContextVar[tuple[tuple[CircuitBreaker, Permit], ...]] = ContextVar("switchgear_entered", default=())
"""The ``with breaker:`` blocks that are open in this thread or task, the innermost last."""


class CircuitBreaker:
    """Stops calling a service that fails, and finds out by trial calls when it is well again.

    Safe for threads and asyncio tasks, mixed. Durations are seconds, a *timedelta* or text such as ``"30s"``.

    Args:
        name: the service's, in errors, events and numbers.
        failure_threshold: failures in a row that open the circuit.
        recovery_timeout: how long it stays open before trial calls.
        success_threshold: trial calls that must succeed to close it.
        failure_rate: share of failures in the window that opens it, from *minimum_calls* on.
        minimum_calls: calls in the window before a rate counts; at most the window's size.
        window: how far back rates look: a duration as text or *timedelta* or float, or a whole number of calls.
        slow_call: a call that takes longer is slow; None: none is. A stream is as slow as its first item.
        slow_rate: share of slow calls in the window that opens the circuit, from *minimum_calls* on.
        probes: trial calls at the same time.
        probe_lease: after how long a trial call that never ended gives its place back.
        backoff: factor by which each opening in a row lasts longer.
        max_recovery_timeout: the longest opening, Retry-After included; by default an hour, or
            *recovery_timeout* if that is longer.
        jitter: share of the recovery time-out by which it varies at random to either side.
        excluded: types of exceptions, and predicates on them, that say nothing about the service.
        is_failure: has the say on results, on items of streams, and on exceptions that are not excluded:
            True, False (a success, or an exception that says nothing), None (no opinion, so that an
            exception is a failure), or a word: ``failure``, ``success``, ``neutral``, ``throttled``.
            For instance ``lambda x: isinstance(x, Exception) or x.status_code >= 500``.
        retry_after: what a Retry-After on a failure does: ``honor`` opens the circuit for at least
            that long, ``extend`` only lengthens an opening, ``ignore`` does nothing.
        outer_timeout: ``failure``: a call that is cancelled from outside is one; else it says nothing.
        random: returns numbers from 0 to 1 for the jitter; a seeded one makes it reproducible.
        clock: the source of time.

    Raises:
        ValueError: an argument is out of its range or not of its kind.
    """

    def __init__(  # noqa: PLR0913 - one keyword for each thing that can be set
        self,
        name: str,
        *,
        failure_threshold: int = 5,
        recovery_timeout: float | dt.timedelta | str = 120.0,
        success_threshold: int = 1,
        failure_rate: float = 0.5,
        minimum_calls: int = 10,
        window: float | dt.timedelta | str = "60s",
        slow_call: float | dt.timedelta | str | None = None,
        slow_rate: float = 0.8,
        probes: int = 1,
        probe_lease: float | dt.timedelta | str = 60.0,
        backoff: float = 1.0,
        max_recovery_timeout: float | dt.timedelta | str | None = None,
        jitter: float = 0.0,
        excluded: Iterable[Excluded] | Excluded = (),
        is_failure: IsFailure | None = None,
        retry_after: RetryAfter = "honor",
        outer_timeout: OuterTimeout = "neutral",
        random: Callable[[], float] = random_source.random,
        clock: Clock = SystemClock(),  # noqa: B008 - it has no state
    ) -> None:
        recovery_us = duration_us("recovery_timeout", recovery_timeout)
        window_calls = whole("window", window) if isinstance(window, int) else None
        rule = BreakerRule(
            failure_threshold=whole("failure_threshold", failure_threshold),
            recovery_us=recovery_us,
            failure_rate=share("failure_rate", failure_rate),
            minimum_calls=whole("minimum_calls", minimum_calls),
            window_us=0 if window_calls else duration_us("window", window),
            window_calls=window_calls,
            slow_us=None if slow_call is None else duration_us("slow_call", slow_call),
            slow_rate=share("slow_rate", slow_rate),
            probes=whole("probes", probes),
            success_threshold=whole("success_threshold", success_threshold),
            probe_lease_us=duration_us("probe_lease", probe_lease),
            backoff=at_least("backoff", backoff, 1),
            max_recovery_us=_longest(max_recovery_timeout, recovery_us),
            jitter=share("jitter", jitter, zero=True),
            retry_after=_checked_retry_after(retry_after),
        )
        judge = Judge(excluded, is_failure, outer_timeout)
        self._clock: Final = clock
        self._random: Final = random
        self._circuit: Final = Circuit(_checked_name(name), Breaker(rule, random), judge, clock)

    @classmethod
    def preset(cls, name: str, **settings: Any) -> Self:  # noqa: ANN401 - the settings of the class
        """Return a breaker with the settings that Switchgear knows for *name*; *settings* go before them.

        Raises:
            ValueError: no such preset, or a setting is not usable.
        """
        if name not in PRESETS:
            msg = f"no preset is called {name!r}; there are {', '.join(PRESETS)}"
            raise ValueError(msg)
        return cls(name, **{**PRESETS[name], **settings})

    @property
    def name(self) -> str:
        """The service's name."""
        return self._circuit.name

    @property
    def state(self) -> CircuitState:
        """The state now: an open circuit whose time is over is half-open."""
        return CircuitState(self._circuit.state())

    @property
    def time_remaining(self) -> float:
        """Seconds until an open circuit lets a trial call pass; 0 in every other state."""
        return self._circuit.stats().time_remaining

    @property
    def settings(self) -> Mapping[str, object]:
        """Every setting in force, durations in seconds."""
        rule, judge = self._circuit.breaker.rule, self._circuit.judge
        return MappingProxyType(
            {
                "failure_threshold": rule.failure_threshold,
                "recovery_timeout": rule.recovery_us / MICROS,
                "success_threshold": rule.success_threshold,
                "failure_rate": rule.failure_rate,
                "minimum_calls": rule.minimum_calls,
                "window": rule.window_calls or rule.window_us / MICROS,
                "slow_call": None if rule.slow_us is None else rule.slow_us / MICROS,
                "slow_rate": rule.slow_rate,
                "probes": rule.probes,
                "probe_lease": rule.probe_lease_us / MICROS,
                "backoff": rule.backoff,
                "max_recovery_timeout": rule.max_recovery_us / MICROS,
                "jitter": rule.jitter,
                "excluded": judge.excluded,
                "is_failure": judge.is_failure,
                "retry_after": rule.retry_after,
                "outer_timeout": judge.outer_timeout,
                "random": self._random,
                "clock": SystemClock if isinstance(self._clock, SystemClock) else self._clock,
            }
        )

    @overload
    def protect(self, function: Callable[P, R]) -> Callable[P, R]: ...

    @overload
    def protect(self, *, stall_timeout: float | dt.timedelta | str | None = None) -> Callable[[F], F]: ...

    def protect(
        self,
        function: Callable[..., Any] | None = None,
        *,
        stall_timeout: float | dt.timedelta | str | None = None,
    ) -> Callable[..., Any]:
        """Return *function* under this breaker, with its colour kept; usable as ``@breaker.protect``.

        Plain functions, coroutine functions, generators and asynchronous generators: a generator is
        admitted at its first item and settled at its end; without any item it is a failure.

        Args:
            function: what to protect.
            stall_timeout: the longest that an asynchronous generator may take for its next item.

        Raises:
            TypeError: *function* can't be called.
            ValueError: *stall_timeout* is no duration, or not for this function.

        A call of the result raises:
            BreakerOpen: the circuit is open; the function did not run.
            StallError: no item came within *stall_timeout*.
        """
        stall_us = None if stall_timeout is None else duration_us("stall_timeout", stall_timeout)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            return protected(self._circuit, function, stall_us)

        return decorate if function is None else decorate(function)

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call *function* once; a coroutine function's result is to be awaited as ever.

        Raises:
            BreakerOpen: the circuit is open; the function did not run.
        """
        result: R = run(self._circuit, function, args, kwargs)
        return result

    def acquire(self) -> Permit:
        """Return leave for one call, which never waits; tell it how the call ended, or use it as a block.

        Raises:
            BreakerOpen: the circuit is open, or all its trial calls are under way.
        """
        return Permit(self._circuit)

    def stats(self) -> BreakerStats:
        """Return its numbers."""
        return self._circuit.stats()

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers as plain types, for JSON."""
        return cast("dict[str, Any]", msgspec.to_builtins(self._circuit.stats()))

    def force_open(self) -> None:
        """Reject every call until *reset* or another command. Calls under way say nothing from then on."""
        self._circuit.command(self._circuit.breaker.force_open)

    def force_closed(self) -> None:
        """Close now, with nothing held against the service; it is guarded from then on as ever."""
        self._circuit.command(self._circuit.breaker.force_closed)

    def disable(self) -> None:
        """Let every call through and record nothing, until *reset* or another command."""
        self._circuit.command(self._circuit.breaker.disable)

    def metrics_only(self) -> None:
        """Let every call through, record it, and send an event when the circuit would have opened."""
        self._circuit.command(self._circuit.breaker.only_measure)

    def reset(self) -> None:
        """Be as when new: closed, nothing counted, nothing forced."""
        self._circuit.command(self._circuit.breaker.reset)

    def subscribe(self, listener: Callable[[BreakerChanged], None]) -> Callable[[], None]:
        """Call *listener* with every change, once and in order, outside of every lock; return what ends it.

        It is called in the thread that caused the change. One that raises is logged.
        """
        return self._circuit.subscribe(listener)

    def __enter__(self) -> Permit:
        permit = Permit(self._circuit)
        _entered.set((*_entered.get(), (self, permit)))
        return permit

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _entered.get()
        for at in range(len(entered) - 1, -1, -1):  # of blocks that are not nested properly, in generators say
            breaker, permit = entered[at]
            if breaker is self:
                _entered.set(entered[:at] + entered[at + 1 :])
                permit.__exit__(kind, error, trace)
                return

    async def __aenter__(self) -> Permit:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self._circuit.breaker.state}>"


def _longest(given: float | dt.timedelta | str | None, recovery_us: int) -> int:
    if given is None:
        return max(_HOUR_US, recovery_us)
    longest = duration_us("max_recovery_timeout", given)
    if longest < recovery_us:
        msg = f"max_recovery_timeout must not be shorter than recovery_timeout, {recovery_us / MICROS:g} s"
        raise ValueError(msg)
    return longest


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        msg = f"name is a text that is not empty, not {name!r}"
        raise ValueError(msg)
    return name


def _checked_retry_after(value: object) -> RetryAfter:
    if value not in get_args(RetryAfter):
        msg = f'retry_after is "honor", "extend" or "ignore", not {value!r}'
        raise ValueError(msg)
    return cast("RetryAfter", value)
