"""What a provider asks for: silence until an instant, or no more than a quota until another.

Silence holds for everybody. A quota lets calls through as long as something is left of it: the
provider itself decides about the last one. After either has held somebody back, those who wait
resume one by one, at the rate that is configured, until nobody waits any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.policies.limit_rule import LimitRule

if TYPE_CHECKING:
    from switchgear.calls import Unit

__all__ = ["LONGEST_PAUSE", "Pace", "PaceOutlook"]

LONGEST_PAUSE: Final = 3_600_000_000
"""A pause ends after an hour: whatever a header says, the next answer can renew it."""


class _Quota:
    __slots__ = ("_limit", "_span", "_unit", "left", "until")

    def __init__(self, unit: Unit, left: int, until: int, now: int) -> None:
        self._unit: Final = unit
        self._limit: Final = left
        self._span: Final = until - now
        self.left = left
        self.until: Final = until

    @property
    def rule(self) -> LimitRule:
        """The quota as a limit, for whoever is held back by it."""
        return _rule(f"provider_{self._unit}", self._unit, self._limit, self._span)


def _rule(name: str, unit: Unit, limit: int, span: int) -> LimitRule:
    return LimitRule(name=name, unit=unit, limit=limit, window_us=span)


class Pace:
    """The provider's word on one service. Instants are monotonic microseconds."""

    __slots__ = ("_next_at", "_quiet", "_quiet_until", "_quotas", "_resume_at")

    def __init__(self) -> None:
        self._quiet = _rule("provider_pause", "requests", 1, 0)
        self._quiet_until = 0
        self._quotas: dict[Unit, _Quota] = {}
        self._resume_at: int | None = None  # from then on, one by one
        self._next_at = 0

    def pause(self, until: int, now: int) -> None:
        """Let nobody go before *until*; a longer pause that is on stays."""
        until = min(until, now + LONGEST_PAUSE)
        if until > max(now, self._quiet_until):
            self._quiet_until = until
            self._quiet = _rule("provider_pause", "requests", 1, until - now)
            self.resume_at(until)

    def quota(self, unit: Unit, left: int, until: int, now: int) -> None:
        """Let *left* more of *unit* go before *until*; what was said of *unit* before is void."""
        until = min(until, now + LONGEST_PAUSE)
        self._quotas[unit] = _Quota(unit, left, until, now)

    def lift(self, unit: Unit) -> None:
        """Forget the quota of *unit*."""
        self._quotas.pop(unit, None)

    def resume_at(self, at: int) -> None:
        """From *at* on, let those who wait go one by one."""
        self._resume_at = at if self._resume_at is None else max(at, self._resume_at)
        self._next_at = max(self._next_at, at)

    def took(self, tokens: int, at: int, gap: int) -> None:
        """Count a call of *tokens* that went at *at*; the next one keeps *gap*."""
        for unit, quota in self._quotas.items():
            quota.left -= tokens if unit == "tokens" else 1
        self._next_at = self.after(at, self._next_at, gap)

    def after(self, at: int, next_at: int, gap: int) -> int:
        """Return when the next one may go, if one goes at *at* and *next_at* was its own instant."""
        return next_at if self._resume_at is None or at < self._resume_at else max(at, next_at) + gap

    def gave(self, tokens: int, requests: int = 0) -> None:
        """Take back *tokens* and *requests* that were counted too many."""
        for unit, quota in self._quotas.items():
            quota.left += tokens if unit == "tokens" else requests

    @property
    def resumes(self) -> bool:
        """Whether those who wait go one by one, so that the gap between calls counts."""
        return self._resume_at is not None

    def lets_go(self, now: int) -> bool:
        """Whether a call that nobody waits before goes at once."""
        if self._resume_at is not None or now < self._quiet_until:
            return False
        for quota in self._quotas.values():  # noqa: SIM110 - a loop costs half of a generator, on every call's way
            if quota.left <= 0 and now < quota.until:
                return False
        return True

    def is_over(self, now: int) -> bool:
        """Whether nothing of it holds any more, if nobody waits."""
        return now >= max(self._quiet_until, self._next_at) and all(now >= one.until for one in self._quotas.values())

    def outlook(self) -> PaceOutlook:
        """Return what it will be when those in line have gone."""
        left = {unit: quota.left for unit, quota in self._quotas.items()}
        return PaceOutlook(self, left, self._next_at)

    def held(self, not_before: int, left: dict[Unit, int], next_at: int) -> tuple[int, LimitRule | None]:
        """Return when the next one may go, and what holds it back."""
        at, rule = not_before, None
        if self._quiet_until > at:
            at, rule = self._quiet_until, self._quiet
        for unit, quota in self._quotas.items():
            if left[unit] <= 0 and quota.until > at:
                at, rule = quota.until, quota.rule
                self.resume_at(at)
        if self._resume_at is not None and at >= self._resume_at and next_at > at:
            at, rule = next_at, rule or self._quiet
        return at, rule


class PaceOutlook:
    """What is left of a pace when those in line have gone, one after the other."""

    __slots__ = ("_left", "_next_at", "_pace")

    def __init__(self, pace: Pace, left: dict[Unit, int], next_at: int) -> None:
        self._pace: Final = pace
        self._left: Final = left
        self._next_at = next_at

    def ready(self, not_before: int) -> tuple[int, LimitRule | None]:
        """Return the first instant from *not_before* on, and the rule that the wait is for."""
        return self._pace.held(not_before, self._left, self._next_at)

    def add(self, tokens: int, at: int, gap: int) -> None:
        """Plan a call of *tokens* at *at*; the next one keeps *gap*."""
        for unit in self._left:
            self._left[unit] -= tokens if unit == "tokens" else 1
        self._next_at = self._pace.after(at, self._next_at, gap)
