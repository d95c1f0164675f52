"""Those who wait for a limit, in order, and the instant at which each may go.

The instants are a plan: worked out from what the windows hold, one after the other, as far as
somebody needs to know. Whatever changes a window, the order or the pace makes a new plan.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from switchgear.policies.window import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchgear.clock import Moment
    from switchgear.policies.bounds import Bounds
    from switchgear.policies.leases import Lease
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.policies.pace import Pace

__all__ = ["AGING", "Plan", "Waiter", "pushed_too_far"]

AGING: Final = 30_000_000
"""Microseconds after which a waiter is not overtaken any more, whatever its priority."""


class Waiter:
    """Somebody in line.

    Attributes:
        asked: when it came; *deadline*: until when it waits.
        priority: higher ones go first, within the bounds of aging.
        waker: called (outside every lock) when it should ask again early.
        go_at: its instant in the plan; *told*: the one that it knows and sleeps until.
        rule: what it waits for, None: not known yet.
        never: the limits have become too small for it.
    """

    __slots__ = ("asked", "deadline", "go_at", "lease", "never", "priority", "rule", "slot", "tokens", "told", "waker")

    def __init__(self, tokens: int, asked: int, deadline: int, priority: int, lease: Lease | None) -> None:
        self.tokens: Final = tokens
        self.asked: Final = asked
        self.deadline: Final = deadline
        self.priority: Final = priority
        self.lease: Final = lease
        self.waker: Callable[[], None] | None = None
        self.rule: LimitRule | None = None
        self.slot = 0
        self.go_at = self.told = deadline
        self.never = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Waiter:
        """Return its place in the line; whoever stands there is not woken for it."""
        twin = Waiter(self.tokens, self.asked, self.deadline, self.priority, self.lease)
        twin.rule = deepcopy(self.rule, memo)
        twin.slot, twin.go_at, twin.told, twin.never = self.slot, self.go_at, self.told, self.never
        return twin


class Plan:
    """What the limits will hold when those in line have gone. Stale once anything has changed.

    Attributes:
        count: how many in line it has taken in.
    """

    __slots__ = ("_at", "_gap", "_outlooks", "_pace", "count")

    def __init__(self, bounds: Bounds, pace: Pace | None, now: Moment) -> None:
        self._gap: Final = bounds.gap
        self._outlooks: Final = [(one.by_token, one.outlook(now), one.rule) for one in bounds.each]
        self._pace: Final = None if pace is None else pace.outlook()
        self._at = now.mono
        self.count = 0

    def ready(self, tokens: int, not_before: int) -> tuple[int, LimitRule | None]:
        """Return when a call of *tokens* may go after all that are planned, and the rule it waits for.

        *NEVER*: it is larger than that rule.
        """
        at, binding = max(self._at, not_before), None
        if self._pace is not None:
            at, binding = self._pace.ready(at)
        for by_token, outlook, rule in self._outlooks:
            ready = outlook.ready(tokens if by_token else 1, at)
            if ready > at:
                at, binding = ready, rule
        return at, binding

    def add(self, tokens: int, at: int) -> None:
        """Plan a call of *tokens* at *at*, which *ready* has said."""
        for by_token, outlook, _ in self._outlooks:
            outlook.add(tokens if by_token else 1, at)
        if self._pace is not None:
            self._pace.add(tokens, at, self._gap(tokens))
        self._at = at

    def extend(self, line: Sequence[Waiter], count: int, seats: int, unseated: tuple[int, LimitRule | None]) -> None:
        """Take in the first *count* of *line*: write each one's instant and rule.

        Args:
            line: those who wait, in order.
            count: how many to take in.
            seats: how many more calls may be in flight.
            unseated: until when those beyond wait at most, and for which rule.
        """
        for index in range(self.count, count):
            waiter = line[index]
            if index >= seats:
                waiter.go_at, waiter.rule = min(waiter.deadline, unseated[0]), unseated[1]
                continue
            at, binding = self.ready(waiter.tokens, self._at)
            # With no limit of its own to wait for, it waits for what the one before it waits for.
            waiter.rule = binding or waiter.rule or (line[index - 1].rule if index else None)
            waiter.never = at == NEVER
            if waiter.never:
                waiter.go_at = self._at
                continue
            waiter.go_at = at
            self.add(waiter.tokens, at)
        self.count = max(self.count, count)


def pushed_too_far(line: Sequence[Waiter], index: int, before: Sequence[int], now: int) -> int:
    """Return the last place in *line* behind *index* that may not be pushed back, else *index*.

    Nobody who has waited for *AGING* may be, nor anybody past its patience, nor past *AGING* if it
    would have been served within that: *before* are the instants without the one at *index*.
    """
    for place in range(len(line) - 1, index, -1):
        waiter = line[place]
        latest = waiter.asked + AGING
        if now >= latest or waiter.go_at > waiter.deadline or before[place - 1] <= latest < waiter.go_at:
            return place
    return index
