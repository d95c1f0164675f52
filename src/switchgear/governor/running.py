"""Totals that are told again and again, such as what a batch came to: each is counted once."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.calls import NO_USAGE, Usage
from switchgear.errors import LedgerError
from switchgear.ledger.rows import Entry
from switchgear.wire.sums import rise

if TYPE_CHECKING:
    from switchgear.clock import Clock
    from switchgear.ledger import Ledger

__all__ = ["Running"]

_KEPT: Final = 4096
_KIND: Final = "batch_counted"

_log = logging.getLogger("switchgear.governor")


class Running:
    """Remembers what of each running total is counted already.

    What it counts is on the audit trail, so that a process that asks about a batch later, this one
    after a new start or another, goes on from there. Two that ask for the same news within
    milliseconds of each other both count it: too much rather than too little.

    Args:
        ledger: has the audit trail.
        clock: time.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger: Final = ledger
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._counted: Final[OrderedDict[tuple[str, str], Usage]] = OrderedDict()

    def rise(self, service: str, name: str, total: Usage) -> Usage:
        """Return what *total* of the thing called *name* has more than was counted of it, and count that."""
        key = (service, name)
        subject = f"{service}: {name}"
        with self._lock:
            known = key in self._counted
        before = NO_USAGE if known else self._recalled(subject)
        with self._lock:
            more = rise(total, self._counted.pop(key, before))
            self._counted[key] = total
            if len(self._counted) > _KEPT:
                self._counted.popitem(last=False)
        if more != NO_USAGE:
            self._note(subject, total)
        return more

    def _recalled(self, subject: str) -> Usage:
        try:
            found = self._ledger.reader.trail.about(_KIND, subject, limit=1)
            return msgspec.convert(found[0].what["usage"], Usage) if found else NO_USAGE
        except (LedgerError, KeyError, msgspec.ValidationError) as error:
            _log.warning("what was counted of %s is not known, so it is counted anew: %s", subject, error)
            return NO_USAGE

    def _note(self, subject: str, total: Usage) -> None:
        what = {
            "actor": "the gate",
            "reason": "what it came to was counted; asked again, only more counts",
            "usage": msgspec.to_builtins(total),
        }
        try:
            self._ledger.record(Entry(kind=_KIND, subject=subject, at=self._clock.moment().wall, what=what))
        except LedgerError as error:
            _log.warning("that %s was counted is not on record: %s", subject, error)
