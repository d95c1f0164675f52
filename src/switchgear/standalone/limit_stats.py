"""A rate limiter at one instant, and what it promises, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchgear.clock import MICROS
from switchgear.durations import spoken
from switchgear.policies.window import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.policies.limiter import LimitRule

__all__ = ["LimitStats", "LimiterStats", "guarantee_of"]


class LimitStats(msgspec.Struct, frozen=True, kw_only=True):
    """One limit at one instant.

    Attributes:
        rule: ``requests_per_minute``, ``tokens_per_day``, ``concurrent``, ...
        unit: what the numbers count: ``requests``, ``tokens``, or ``calls`` in flight.
        window: seconds that it looks back; 0: at the calls in flight now.
        used: what counts now, reservations included; beyond *limit* after a debt.
        remaining: what is free; never below 0.
        free_in: seconds until one unit is free; 0 for now, None: not foreseeable.
    """

    rule: str
    unit: str
    limit: int
    window: float
    used: int
    remaining: int
    free_in: float | None


class LimiterStats(msgspec.Struct, frozen=True, kw_only=True):
    """A rate limiter at one instant.

    Attributes:
        limits: one for each limit.
        in_flight: calls that are neither settled nor released.
        waiting: callers in the queue.
        admitted: calls let through, *refused*: calls turned away, since it was made or reset.
    """

    name: str
    limits: tuple[LimitStats, ...]
    in_flight: int
    waiting: int
    admitted: int
    refused: int


def guarantee_of(rules: Iterable[LimitRule]) -> str:
    """Return what *rules* promise, one sentence each."""
    return " ".join(_promise(rule) for rule in rules) or "No limit is set."


def _promise(rule: LimitRule) -> str:
    most = f"{rule.limit:,} {rule.unit}"
    if not rule.window_us:
        return f"Never more than {most} in flight."
    if rule.timezone is not None:
        return f"Never more than {most} on any calendar day in {rule.timezone}; exact."
    late = -(-rule.window_us // CELLS) / MICROS
    return (
        f"Never more than {most} in any {spoken(rule.window_us / MICROS)}; "
        f"a unit may come free up to {late:g} s late, never early."
    )
