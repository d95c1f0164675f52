"""A call that may leave, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchgear.calls import Call, Usage
from switchgear.clock import Moment
from switchgear.policies.pricing import Price, PriceBook
from switchgear.state.base import Admission

if TYPE_CHECKING:
    from switchgear.events import Event
    from switchgear.ledger.commit import Commit

__all__ = ["Admitted", "Leaving", "Settlement", "Settling"]


class Admitted(msgspec.Struct, frozen=True, kw_only=True):
    """A call that may leave: reserved in state and ledger until it is settled.

    Attributes:
        cost: the worst case in nano-USD, None for an unpriced call.
        book: the prices that it was let go under.
        started: when it was let go, after any waiting.
        waited_us: microseconds spent in the queue.
    """

    call: Call
    admission: Admission
    price: Price | None
    cost: int | None
    book: PriceBook
    started: Moment
    waited_us: int


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a call came to. *cost* is nano-USD, None for unpriced."""

    usage: Usage
    cost: int | None
    estimated: bool


class Leaving(NamedTuple):
    """A call that may leave once *commit* is done; *events*: what is to be told then."""

    admitted: Admitted
    commit: Commit
    events: tuple[Event, ...]


class Settling(NamedTuple):
    """A settlement that the state has, and the ledger once *commit* is done; *events*: what is to be told then."""

    call_id: str
    settlement: Settlement
    commit: Commit
    events: tuple[Event, ...]
