"""What a running server does for its ledger by itself: budgets carried forward, old attempts pruned."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from switchgear.clock import Clock
    from switchgear.ledger.counted import Counted
    from switchgear.ledger.ledger import Ledger

__all__ = ["Housekeeping"]

_CARRY_EVERY: Final = 60 * MICROS
"""So much has to be read again after a crash."""

_FIRST_PRUNING: Final = 5 * 60 * MICROS
"""A server that never runs at night prunes after its start."""

_QUIET_HOUR: Final = dt.time(3, 30)
_DAY_US: Final = 86_400 * MICROS

_log = logging.getLogger("switchgear.ledger")


class Housekeeping:
    """Told once a second that time goes by; works in a thread of its own, one task at a time.

    Args:
        ledger: the one to care for; open for writing.
        budgets: returns what the configured budgets count.
        retention_days: how long single attempts are kept.
        zone: where the night is: pruning is at half past three there, and once soon after the start.
        clock: time.
        run: runs a task beside the caller; the task's name is for people.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        budgets: Callable[[], Iterable[Counted]],
        retention_days: Callable[[], int],
        zone: ZoneInfo,
        clock: Clock,
        run: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._ledger: Final = ledger
        self._budgets: Final = budgets
        self._retention_days: Final = retention_days
        self._zone: Final = zone
        self._clock: Final = clock
        self._run: Final = run if run is not None else self._in_a_thread
        self._closing: Final = threading.Event()
        self._thread: threading.Thread | None = None
        self._busy = False
        now = clock.moment()
        self._carry_at = now.mono + _CARRY_EVERY
        self._prune_at = now.wall + _FIRST_PRUNING

    def tick(self) -> None:
        """Begin what is due, unless something is still being done; returns at once."""
        if self._busy or self._closing.is_set():
            return
        now = self._clock.moment()
        if now.wall >= self._prune_at:
            self._prune_at = self._next_night(now.wall)
            self._begin(self._prune)
        elif now.mono >= self._carry_at:
            self._carry_at = now.mono + _CARRY_EVERY
            self._begin(self._carry)

    def close(self) -> None:
        """End what is being done after its next step, and wait for that."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, task: Callable[[], None]) -> None:
        self._busy = True
        self._run(lambda: self._guarded(task))

    def _in_a_thread(self, task: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=task, name="switchgear-housekeeping", daemon=True)
        self._thread.start()

    def _guarded(self, task: Callable[[], None]) -> None:
        try:
            task()
        except _ClosingError:
            pass
        except LedgerError as error:
            # The next time will do: nothing that was spent depends on it.
            _log.warning("housekeeping of the ledger: %s", error)
        finally:
            self._busy = False

    def _carry(self) -> None:
        self._ledger.carry_forward(self._budgets(), now_us=self._clock.moment().wall, rest=self._go_on)

    def _prune(self) -> None:
        before = self._clock.moment().wall - self._retention_days() * _DAY_US
        done = self._ledger.prune(
            before_us=before, budgets=self._budgets(), clock=self._clock, progress=lambda _: self._go_on()
        )
        if done.attempts:
            _log.info("pruned %d attempts that were older than %d days", done.attempts, self._retention_days())

    def _go_on(self) -> None:
        if self._closing.is_set():
            raise _ClosingError

    def _next_night(self, wall: int) -> int:
        """Return the next half past three after *wall*, both in epoch microseconds."""
        local = dt.datetime.fromtimestamp(wall // MICROS, self._zone)
        night = dt.datetime.combine(local.date(), _QUIET_HOUR, tzinfo=self._zone)
        if night <= local:
            night = dt.datetime.combine(local.date() + dt.timedelta(days=1), _QUIET_HOUR, tzinfo=self._zone)
        return int(night.timestamp()) * MICROS


class _ClosingError(Exception):
    """The server ends: what is not done yet can be done another day."""
