"""Where operators say what a breaker is to do: on record first, then at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.errors import ConfigError
from switchgear.events import CircuitName
from switchgear.ledger.rows import Entry
from switchgear.policies.breaker import BreakerOrder, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock
    from switchgear.events import Event
    from switchgear.ledger import Ledger
    from switchgear.state.base import State

__all__ = ["BreakerDesk", "BreakerOrdered"]


class BreakerOrdered(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator has said about a breaker.

    Attributes:
        order: ``open``, ``close`` or ``reset``.
        old: the state until then; *new*: the one from then on.
        by: who said it; *note*: why, in their words.
        at: epoch microseconds.
    """

    service: str
    order: BreakerOrder
    old: CircuitName
    new: CircuitName
    by: str
    note: str
    at: int


class BreakerDesk:
    """Passes orders on to *state*.

    Args:
        state: the live numbers.
        ledger: the audit trail.
        clock: time.
        publish: records and publishes what came of an order.
    """

    def __init__(
        self, *, state: State, ledger: Ledger, clock: Clock, publish: Callable[[tuple[Event, ...]], None]
    ) -> None:
        self._state: Final = state
        self._ledger: Final = ledger
        self._clock: Final = clock
        self._publish: Final = publish

    def set_breaker(self, service: str, order: BreakerOrder, *, by: str, note: str = "") -> BreakerOrdered:
        """Do what an operator says about the breaker of *service*; return what is on record of it.

        A breaker that is forced open stays so, over a restart too, until it is closed or reset.

        Args:
            service: a configured service.
            order: ``open`` rejects every call; ``close`` guards again, with nothing held against
                the service; ``reset`` forgets its counts too.
            by: who says it.
            note: why, for the audit trail and for those whose calls are refused.

        Raises:
            ConfigError: there is no such service.
            ValueError: there is no such order, or *by* is empty.
            LedgerError: it can't be recorded, so it is not done.
            StateError: the shared state can't be reached; the order is on record, and was not carried out.
        """
        if order not in {"open", "close", "reset"}:
            msg = f"{order!r} is no order: open, close or reset"
            raise ValueError(msg)
        if not by.strip():
            msg = "by says who gives the order; it can't be empty"
            raise ValueError(msg)
        now = self._clock.moment()
        known = [view.service for view in self._state.breakers(now)]
        if service not in known:
            msg = f"there is no service {service!r}; the configured ones are: {', '.join(known) or 'none'}"
            raise ConfigError(msg)
        what = {"actor": by.strip(), "reason": note, "order": order}
        self._ledger.record(Entry(kind="breaker_ordered", subject=service, at=now.wall, what=what)).wait()
        now = self._clock.moment()
        old = self._state.set_breaker(service, order, note, now)
        self._publish(self._state.poll(now))
        new, _ = told(order)
        return BreakerOrdered(service=service, order=order, old=old, new=new, by=by.strip(), note=note, at=now.wall)
