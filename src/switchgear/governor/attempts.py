"""Which attempt follows a failed one: the same service again, the next one, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.events import CallRetried
from switchgear.policies.retry import RetryRule, may_repeat, pause_us

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import Call, Refusal
    from switchgear.config.model import ServiceConfig
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Gate
    from switchgear.policies.retry import Failure

__all__ = ["Attempts"]


class Attempts:
    """The attempts of one call, decided one by one; each is admitted, settled and recorded on its own.

    The deadline of the whole is the ``timeout`` of the service that was asked, from when the first
    attempt leaves: queueing before it is bounded by ``max_wait``. So is the list
    of services to fall back on: those of a fallback are not followed, so there is no loop.

    Args:
        gate: the gate that every attempt goes through.
        first: the first attempt.
        draw: returns a random number from 0 up to but not including 1, for the jitter.
    """

    def __init__(self, gate: Gate, first: Exchange, draw: Callable[[], float]) -> None:
        config = gate.service(first.call.service)
        self._gate: Final = gate
        self._draw: Final = draw
        self._timeout: Final = config.timeout
        self._deadline: int | None = None
        self._others: Final = [
            other for other in config.fallback if other != first.call.service and first.caller.may_use(other)
        ]
        self._config = config
        self._rule = _rule(config)
        self._here = 0
        self.exchange = first
        self.made = 0

    @property
    def left_us(self) -> int:
        """Microseconds until the deadline."""
        if self._deadline is None:
            return self._timeout
        return self._deadline - self._gate.clock.moment().mono

    @property
    def max_wait_us(self) -> int | None:
        """How long the next attempt may queue for a limit; None: as the service says."""
        if self.exchange.call.attempt == 1:
            return None
        return max(0, min(self.left_us, self._config.max_wait))

    @property
    def may_go_on(self) -> bool:
        """Whether another attempt can follow the one under way."""
        return self._here < self._rule.attempts or bool(self._others)

    def sent(self) -> None:
        """Take note that the attempt leaves."""
        if self._deadline is None:
            self._deadline = self._gate.clock.moment().mono + self._timeout
        self.made += 1
        self._here += 1

    def after_refusal(self, refusal: Refusal) -> bool:
        """Move on to the next service if it was a breaker that refused; any other refusal ends the call."""
        over = self.exchange.call
        if refusal.reason != "breaker" or not self._move_on():
            return False
        self._tell(over, 0)
        return True

    def after_failure(self, failure: Failure) -> float | None:
        """Move on to the next attempt; return the seconds to wait before it, or None: there is none."""
        over = self.exchange.call
        pause = self._next(failure)
        if pause is not None:
            self._tell(over, round(pause * MICROS))
        return pause

    def _tell(self, over: Call, pause_us: int) -> None:
        at = self._gate.clock.moment().wall
        event = CallRetried(call=over, service=self.exchange.call.service, pause_us=pause_us, at=at)
        self._gate.bus.publish((event,))

    def _next(self, failure: Failure) -> float | None:
        if not may_repeat(failure, self.exchange.repeat):
            return None
        if self.exchange.call.service not in self._gate.config.services:
            return 0.0 if self.left_us > 0 and self._move_on() else None
        pause = pause_us(self._rule, failure, made=self._here, left_us=self.left_us, draw=self._draw())
        if pause is not None and not self._opened_beyond(pause):
            self.exchange = self.exchange.again()
            return pause / MICROS
        return 0.0 if self.left_us > 0 and self._move_on() else None

    def _move_on(self) -> bool:
        while self._others and self._others[0] not in self._gate.config.services:
            self._others.pop(0)
        if not self._others:
            return False
        service = self._others.pop(0)
        self.exchange = self.exchange.elsewhere(service)
        self._config = self._gate.service(service)
        self._rule = _rule(self._config)
        self._here = 0
        return True

    def _opened_beyond(self, pause: int) -> bool:
        """Return whether the service's breaker will refuse the next attempt anyway."""
        now = self._gate.clock.moment()
        for breaker in self._gate.state.breakers(now):
            if breaker.service == self.exchange.call.service and breaker.next_probe_at is not None:
                return breaker.next_probe_at > now.wall + pause
        return False


def _rule(service: ServiceConfig) -> RetryRule:
    retry = service.retry
    return RetryRule(attempts=retry.attempts, backoff_us=retry.backoff, max_backoff_us=retry.max_backoff)
