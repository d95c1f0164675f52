"""Limits that are only evaluated: what they would do to each call that goes, and what they would count if they did.

A shadow limit keeps no queue. A call that it would not let go at once is counted, as one that would wait
or as one that would be refused, and takes nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.policies.limit_rule import Grant, LimitDenial
from switchgear.policies.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.clock import Moment
    from switchgear.policies.limit_rule import LimitRule, Past

__all__ = ["ShadowLimits", "is_told", "would_wait"]


def is_told(count: int) -> bool:
    """Whether the *count*-th such call is told by an event: the first, the tenth, the hundredth and so on."""
    while count and count % 10 == 0:
        count //= 10
    return count == 1


def would_wait(denial: LimitDenial, now: int, max_wait: int) -> bool:
    """Whether a call that is denied at *now* would have queued for up to *max_wait* microseconds instead."""
    if denial.never or max_wait <= 0:
        return False
    return denial.ready_at is None or denial.ready_at <= now + max_wait


class ShadowLimits:
    """The shadow limits of one service. Not thread-safe: its owner locks.

    Attributes:
        limiter: what they count.
        waits: for each rule, the calls that would have waited for it; *refusals*: that it would have refused.
    """

    __slots__ = ("limiter", "refusals", "waits")

    def __init__(self, rules: Iterable[LimitRule]) -> None:
        self.limiter: Final = Limiter(rules)
        self.waits = {rule.name: 0 for rule in self.limiter.rules}
        self.refusals = dict(self.waits)

    def reconfigure(self, rules: Iterable[LimitRule], past: Sequence[Past], now: Moment) -> None:
        """Try out *rules* from now on; those that are new begin with *past*, and with nothing counted against them."""
        self.limiter.reconfigure(tuple(rules), now, past)
        names = [rule.name for rule in self.limiter.rules]
        self.waits = {name: self.waits.get(name, 0) for name in names}
        self.refusals = {name: self.refusals.get(name, 0) for name in names}

    def meet(self, tokens: int, now: Moment, max_wait: int) -> tuple[Grant | None, LimitDenial | None, int]:
        """Take what a call of *tokens* takes, or count it; return the grant, or the denial and its count."""
        answer = self.limiter.ask(tokens, now, 0)
        if isinstance(answer, Grant):
            return answer, None, 0
        assert isinstance(answer, LimitDenial)  # noqa: S101 - nobody who does not wait gets a place
        counts = self.waits if would_wait(answer, now.mono, max_wait) else self.refusals
        counts[answer.rule.name] += 1
        return None, answer, counts[answer.rule.name]
