"""Every window of one service, asked and charged together: all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.policies.calendar import DayWindow
from switchgear.policies.limit_rule import Bound, Grant, LimitDenial, LimitRule, Past
from switchgear.policies.window import NEVER, NOWHERE, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.calls import Unit
    from switchgear.clock import Moment

__all__ = ["Bounds"]


class Bounds:
    """The windows that keep *rules*; those of calls in flight are not among them.

    Attributes:
        each: one for every rule.
    """

    __slots__ = ("_days", "_gaps", "_rolling", "_spans", "_takers", "each")

    def __init__(self, rules: Iterable[LimitRule]) -> None:
        self.each: tuple[Bound, ...] = ()
        self.install(rules)

    def install(self, rules: Iterable[LimitRule]) -> tuple[Bound, ...]:
        """Keep *rules* from now on; what a limit of the same name and span has counted stays counted.

        Return those that are new, and so have counted nothing.
        """
        there = {(bound.rule.name, bound.rule.window_us, bound.rule.timezone): bound.window for bound in self.each}
        each: list[Bound] = []
        new: list[Bound] = []
        for rule in rules:
            window = there.get((rule.name, rule.window_us, rule.timezone))
            if window is None:
                zone = rule.timezone
                window = Window(rule.limit, rule.window_us) if zone is None else DayWindow(rule.limit, zone)
            window.limit = rule.limit
            each.append(Bound(rule, window, rule.unit == "tokens"))
            if (rule.name, rule.window_us, rule.timezone) not in there:
                new.append(each[-1])
        self.each = tuple(each)
        # Plain tuples for the way that every call takes.
        self._takers = tuple((bound.window, bound.by_token) for bound in each)
        self._rolling = tuple((one.window, one.by_token) for one in each if isinstance(one.window, Window))
        self._days = tuple((one.window, one.by_token) for one in each if isinstance(one.window, DayWindow))
        shortest = min((bound.rule.window_us for bound in each), default=0)
        self._spans = (_spans(each, by_token=False), _spans(each, by_token=True))
        self._gaps = tuple((one.by_token, one.rule) for one in each if one.rule.window_us == shortest)
        return tuple(new)

    @property
    def by_wall(self) -> bool:
        """Whether the wall clock has a say: a limit is counted by the calendar day."""
        return bool(self._days)

    def have_room(self, tokens: int, now: Moment) -> bool:
        """Whether a call of *tokens* fits into every window."""
        mono = now.mono
        for window, by_token in self._rolling:
            if mono >= window.edge:
                window.expire(mono)
            if window.total + (tokens if by_token else 1) > window.limit:
                return False
        for day, by_token in self._days:
            day.expire(now.wall)
            if day.total + (tokens if by_token else 1) > day.limit:
                return False
        return True

    def take(self, tokens: int, at: int) -> Grant:
        """Charge a call of *tokens* to every window."""
        cells = [window.take(tokens if by_token else 1, at) for window, by_token in self._takers]
        return Grant(tokens, self.each, cells)

    def renew(self, grant: Grant, now: Moment) -> bool:
        """Charge *grant*, which was undone, at *now*; False: that does not fit, and it is charged to nothing."""
        fits = self.have_room(grant.tokens, now)
        again = self.take(grant.tokens, now.mono) if fits else Grant(grant.tokens, (), ())
        grant.bounds, grant.cells = again.bounds, again.cells
        return fits

    def too_large(self, tokens: int, now: Moment) -> LimitDenial | None:
        """Return the denial of a call that will never fit, None if it may."""
        for bound in self.each:
            needed = tokens if bound.by_token else 1
            if needed > bound.rule.limit:
                return LimitDenial(rule=bound.rule, used=bound.used(now), needed=needed, ready_at=None, never=True)
        return None

    def are_free(self, tokens: int) -> bool:
        """Whether a call of *tokens* takes no unit of any window."""
        return not tokens and all(bound.by_token for bound in self.each)

    def used(self, rule: LimitRule, now: Moment) -> int:
        """Return what counts against *rule*; all of it for a rule that is none of these."""
        bound = next((one for one in self.each if one.rule is rule), None)
        return rule.limit if bound is None else bound.used(now)

    def gap(self, tokens: int) -> int:
        """Return how long a call of *tokens* takes at the configured rate, that of the shortest windows."""
        return max(((tokens if by_token else 1) * r.window_us // r.limit for by_token, r in self._gaps), default=0)

    def most(self, unit: Unit, span: int) -> int:
        """Return how much of *unit* the limits let go within *span* microseconds; *NEVER*: any amount."""
        for window_us, least in self._spans[unit == "tokens"]:
            if window_us >= span:
                return least
        return NEVER

    @staticmethod
    def remember(bounds: Iterable[Bound], past: Past, now: Moment) -> None:
        """Count *past* calls in *bounds*, told in order of time."""
        at = past.at
        for bound in bounds:
            units = past.tokens if bound.by_token else past.requests
            if isinstance(bound.window, DayWindow):
                bound.window.expire(now.wall)
                bound.window.remember(units, now.wall - now.mono + at)
            else:
                bound.window.take(units, at)

    def clear(self) -> None:
        """Forget everything that is counted."""
        for bound in self.each:
            bound.window.clear()

    @staticmethod
    def correct(grant: Grant, surplus: int, at: int) -> None:
        """Give *surplus* tokens of *grant* back; negative: charge them. Where its cell is gone, nothing happens."""
        for bound, cell in zip(grant.bounds, grant.cells, strict=True):
            if not bound.by_token:
                continue
            if cell == NOWHERE:
                bound.window.take(-surplus, at)
            else:
                bound.window.give(cell, surplus)

    @staticmethod
    def give_all(grant: Grant) -> None:
        """Undo what *grant* was charged."""
        for bound, cell in zip(grant.bounds, grant.cells, strict=True):
            bound.window.give(cell, grant.tokens if bound.by_token else 1)


def _spans(each: Sequence[Bound], *, by_token: bool) -> tuple[tuple[int, int], ...]:
    """Return the spans of the limits on tokens, or on requests, each with the least of its own and longer ones."""
    rules = [bound.rule for bound in each if bound.by_token == by_token]
    spans = sorted({rule.window_us for rule in rules})
    return tuple((span, min(rule.limit for rule in rules if rule.window_us >= span)) for span in spans)
