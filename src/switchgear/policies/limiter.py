"""The rate limiter: exact sliding windows, and waiting as a slot in time.

A *Window* admits at most N units in every interval ``(t - W, t]``. Events are kept in cells of
``W / 3000``; a cell expires as a whole with its newest event, so the coalescing errs only on the
strict side, by at most one cell (20 ms of a minute, 28.8 s of a day), and the memory is bounded
whatever the traffic.

A *Limiter* is all windows of one service plus its cap on calls in flight. Who has to wait gets
the instant at which all windows have room, in the order of asking; nobody overtakes.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.calls import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


__all__ = ["CELLS", "Grant", "LimitDenial", "LimitRule", "Limiter", "Queued", "Window"]

CELLS: Final = 3000
"""Cells a window is cut into."""


class LimitRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One limit: at most *limit* of *unit* in any *window_us* microseconds (0: at any instant)."""

    name: str
    unit: Unit
    limit: int
    window_us: int


class _Cell:
    """Units that expire together; *at* is the newest of their events, -1 once expired."""

    __slots__ = ("at", "units")

    def __init__(self, at: int, units: int) -> None:
        self.at = at
        self.units = units


class Window:
    """An exact sliding window over *window_us* microseconds. Not thread-safe: its owner locks.

    Events enter in order of time; an event may lie in the future (a slot that somebody waits for).
    """

    __slots__ = ("_cell_us", "_cells", "limit", "total", "window_us")

    def __init__(self, limit: int, window_us: int) -> None:
        self.limit = limit
        self.window_us: Final = window_us
        self.total = 0
        self._cell_us: Final = max(1, window_us // CELLS)
        self._cells: Final[deque[_Cell]] = deque()

    def __len__(self) -> int:
        return len(self._cells)

    def expire(self, now: int) -> None:
        """Forget what lies at or before ``now - window_us``."""
        cells = self._cells
        edge = now - self.window_us
        while cells and cells[0].at <= edge:
            cell = cells.popleft()
            self.total -= cell.units
            cell.at = -1

    def used(self, now: int) -> int:
        """Return the units that count at *now*; slots in the future don't."""
        self.expire(now)
        ahead = 0
        for cell in reversed(self._cells):
            if cell.at <= now:
                break
            ahead += cell.units
        return self.total - ahead

    def earliest(self, units: int, not_before: int) -> int:
        """Return the first instant from *not_before* on at which *units* (at most the limit) fit.

        *not_before* must not lie before the newest event.
        """
        missing = self.total + units - self.limit
        if missing <= 0:
            return not_before
        ready = not_before
        for cell in self._cells:
            missing -= cell.units
            ready = cell.at + self.window_us
            if missing <= 0:
                break
        return max(ready, not_before)

    def take(self, units: int, at: int) -> _Cell:
        """Count *units* at *at*, or with the newest event if that is later; return the cell for *give*."""
        self.total += units
        cells = self._cells
        if cells:
            last = cells[-1]
            at = max(at, last.at)
            if last.at // self._cell_us == at // self._cell_us:
                last.at = at
                last.units += units
                return last
        cell = _Cell(at, units)
        cells.append(cell)
        return cell

    def delay(self, cell: _Cell, now: int) -> bool:
        """Move *cell*'s slot to *now*, which it has missed, and those behind it that have too.

        Return False if *now* has no room for it any more.
        """
        if cell.at < 0:
            return False
        for later in reversed(self._cells):
            later.at = max(later.at, now)
            if later is cell:
                break
        return self.used(now) <= self.limit

    def trim(self, now: int) -> int:
        """Drop slots in the future that nobody holds any more; return the newest event, 0 for none."""
        cells = self._cells
        while cells and cells[-1].at > now and cells[-1].units == 0:
            cells.pop().at = -1
        return cells[-1].at if cells else 0

    def give(self, cell: _Cell, units: int) -> None:
        """Take *units* off *cell* (negative: add); an expired cell credits nothing."""
        if cell.at >= 0:
            cell.units -= units
            self.total -= units


class Grant:
    """Units taken from a limiter, to be settled and released once."""

    __slots__ = ("cells", "in_flight", "tokens")

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.cells: tuple[_Cell, ...] = ()
        self.in_flight = False


class LimitDenial(msgspec.Struct, frozen=True, kw_only=True):
    """No, with the binding rule. *ready_at* is monotonic microseconds, None: not foreseeable or never."""

    rule: LimitRule
    used: int
    needed: int
    ready_at: int | None
    never: bool = False


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """Wait until *go_at* (monotonic microseconds) for *rule*, then ask with *slot* again."""

    slot: int
    go_at: int
    rule: LimitRule


class _Waiter:
    __slots__ = ("deadline", "go_at", "grant", "rule", "tokens", "waker")

    def __init__(self, tokens: int, deadline: int, rule: LimitRule, waker: Callable[[], None] | None) -> None:
        self.tokens = tokens
        self.deadline = deadline
        self.rule = rule
        self.waker = waker
        self.grant: Grant | None = None  # None: still in line for a place in flight
        self.go_at = deadline


class Limiter:
    """All limits of one service. Not thread-safe: its owner locks.

    First a place in flight is asked for, then the windows: whoever waits for a window keeps the
    place, which costs nobody anything, since all who come later have to wait at least as long.

    *wakers* collects callbacks of waiters whose time has changed; the owner calls them after it
    has released its lock.
    """

    def __init__(self, rules: Iterable[LimitRule]) -> None:
        self._windows: list[tuple[LimitRule, Window, Literal["requests", "tokens"]]] = []
        self._concurrent: LimitRule | None = None
        self._in_flight = 0
        self._standing = 0  # waiters without a place in flight
        self._tail = 0  # the latest slot that somebody waits for: nobody is served before it
        self._waiters: dict[int, _Waiter] = {}
        self._next_slot = 1
        self.wakers: list[Callable[[], None]] = []
        for rule in rules:
            if rule.window_us == 0:
                self._concurrent = rule
            else:
                unit: Literal["requests", "tokens"] = "tokens" if rule.unit == "tokens" else "requests"
                self._windows.append((rule, Window(rule.limit, rule.window_us), unit))

    @property
    def waiting(self) -> int:
        """Callers in the queue."""
        return len(self._waiters)

    def ask(
        self, tokens: int, now: int, max_wait: int, waker: Callable[[], None] | None = None
    ) -> Grant | Queued | LimitDenial:
        """Take what a call of *tokens* needs, now or at a slot within *max_wait* microseconds."""
        for rule, _, unit in self._windows:
            needed = tokens if unit == "tokens" else 1
            if needed > rule.limit:
                return LimitDenial(rule=rule, used=0, needed=needed, ready_at=None, never=True)
        deadline = now + max_wait
        if self._concurrent is not None and (self._standing or self._is_full()):
            if max_wait <= 0:
                return LimitDenial(rule=self._concurrent, used=self._in_flight, needed=1, ready_at=None)
            self._standing += 1
            return self._queue(_Waiter(tokens, deadline, self._concurrent, waker))
        for _, window, _ in self._windows:
            window.expire(now)
        at, binding = self._earliest(tokens, max(now, self._tail))
        if at > deadline:
            return self._denial(binding or self._last_rule(), tokens, at, now)
        grant = Grant(tokens)
        self._take(grant, at)
        if at <= now:
            return grant
        waiter = _Waiter(tokens, deadline, binding or self._last_rule(), waker)
        waiter.grant, waiter.go_at = grant, at
        self._tail = at
        return self._queue(waiter)

    def resume(self, slot: int, now: int) -> Grant | Queued | LimitDenial | None:
        """Ask again with *slot*: the grant if its time has come. None: there is no such slot."""
        waiter = self._waiters.get(slot)
        if waiter is None:
            return None
        if waiter.grant is None:
            self._seat_waiters(now)
        if waiter.grant is None:
            if now < waiter.deadline:
                return self._queued(slot, waiter)
            self.withdraw(slot, now)
            return LimitDenial(rule=waiter.rule, used=self._in_flight, needed=1, ready_at=None)
        if now > waiter.go_at and not self._hold(waiter.grant, now):
            self._move_up(now)
        if now < waiter.go_at <= waiter.deadline:
            return self._queued(slot, waiter)
        if waiter.go_at > max(now, waiter.deadline):
            rule, at = waiter.rule, waiter.go_at
            self.withdraw(slot, now)
            return self._denial(rule, waiter.tokens, at, now)
        del self._waiters[slot]
        return waiter.grant

    def withdraw(self, slot: int, now: int) -> None:
        """Give *slot* back; those behind it move up."""
        waiter = self._waiters.pop(slot, None)
        if waiter is None:
            return
        if waiter.grant is None:
            self._standing -= 1
        else:
            self.cancel(waiter.grant, now)

    def settle(self, grant: Grant, tokens: int, now: int) -> None:
        """Correct *grant* to the *tokens* really used and free its place in flight."""
        surplus = grant.tokens - tokens
        if surplus:
            for (_, window, unit), cell in zip(self._windows, grant.cells, strict=True):
                if unit == "tokens":
                    window.give(cell, surplus)
            grant.tokens = tokens
        self._leave(grant, now)
        if surplus > 0 and self._waiters:
            self._move_up(now)

    def cancel(self, grant: Grant, now: int) -> None:
        """Undo *grant* as if it had never been asked for: nothing was sent."""
        self._give_all(grant)
        self._leave(grant, now)
        self._move_up(now)

    def remember(self, at: int, requests: int, tokens: int) -> None:
        """Count past calls, told in order of time, before the first *ask*."""
        for _, window, unit in self._windows:
            window.take(tokens if unit == "tokens" else requests, at)

    def usage(self, now: int) -> list[tuple[LimitRule, int, int | None]]:
        """Return for each limit: the rule, what is used, and when one unit is free (None: now)."""
        rows: list[tuple[LimitRule, int, int | None]] = []
        for rule, window, _ in self._windows:
            used = window.used(now)
            ready = window.earliest(1, max(now, self._tail)) if used >= rule.limit else now
            rows.append((rule, used, ready if ready > now else None))
        if self._concurrent is not None:
            rows.append((self._concurrent, self._in_flight, None))
        return rows

    def _is_full(self) -> bool:
        return self._concurrent is not None and self._in_flight >= self._concurrent.limit

    def _earliest(self, tokens: int, not_before: int) -> tuple[int, LimitRule | None]:
        at, binding = not_before, None
        for rule, window, unit in self._windows:
            ready = window.earliest(tokens if unit == "tokens" else 1, not_before)
            if ready > at:
                at, binding = ready, rule
        return at, binding

    def _denial(self, rule: LimitRule, tokens: int, at: int, now: int) -> LimitDenial:
        used = next((window.used(now) for one, window, _ in self._windows if one is rule), self._in_flight)
        needed = tokens if rule.unit == "tokens" else 1
        return LimitDenial(rule=rule, used=used, needed=needed, ready_at=at)

    def _take(self, grant: Grant, at: int) -> None:
        grant.cells = tuple(
            window.take(grant.tokens if unit == "tokens" else 1, at) for _, window, unit in self._windows
        )
        if not grant.in_flight:
            grant.in_flight = True
            self._in_flight += 1

    def _give_all(self, grant: Grant) -> None:
        for (_, window, unit), cell in zip(self._windows, grant.cells, strict=True):
            window.give(cell, grant.tokens if unit == "tokens" else 1)

    def _hold(self, grant: Grant, now: int) -> bool:
        """Let *grant* be used at *now*, later than its slot; False if the windows have no room by now."""
        room = True
        for (_, window, _), cell in zip(self._windows, grant.cells, strict=True):
            room = window.delay(cell, now) and room
        return room

    def _leave(self, grant: Grant, now: int) -> None:
        if grant.in_flight:
            grant.in_flight = False
            self._in_flight -= 1
            self._seat_waiters(now)

    def _queue(self, waiter: _Waiter) -> Queued:
        slot = self._next_slot
        self._next_slot += 1
        self._waiters[slot] = waiter
        return self._queued(slot, waiter)

    def _queued(self, slot: int, waiter: _Waiter) -> Queued:
        return Queued(slot=slot, go_at=waiter.go_at, rule=waiter.rule)

    def _last_rule(self) -> LimitRule:
        """The rule that the queue waits for: a newcomer behind it waits for it too."""
        return next(reversed(self._waiters.values())).rule

    def _seat_waiters(self, now: int) -> None:
        """Give free places in flight to those in line, in order, and wake them."""
        for waiter in self._waiters.values():
            if self._is_full():
                return
            if waiter.grant is None:
                self._standing -= 1
                waiter.grant = Grant(waiter.tokens)
                waiter.go_at, binding = self._earliest(waiter.tokens, max(now, self._tail))
                waiter.rule = binding or waiter.rule
                self._tail = waiter.go_at
                self._take(waiter.grant, waiter.go_at)
                self._wake(waiter)

    def _move_up(self, now: int) -> None:
        """Give every waiter the earliest slot anew, in order, after units have come free."""
        seated = [(waiter, waiter.grant) for waiter in self._waiters.values() if waiter.grant is not None]
        for _, grant in seated:
            self._give_all(grant)
        self._tail = max((window.trim(now) for _, window, _ in self._windows), default=0)
        for waiter, grant in seated:
            before = waiter.go_at
            waiter.go_at, binding = self._earliest(waiter.tokens, max(now, self._tail))
            waiter.rule = binding or waiter.rule
            self._tail = waiter.go_at
            self._take(grant, waiter.go_at)
            if waiter.go_at < before:
                self._wake(waiter)

    def _wake(self, waiter: _Waiter) -> None:
        if waiter.waker is not None:
            self.wakers.append(waiter.waker)
