"""Running totals: what a provider tells again with every answer is counted once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_USAGE
from switchgear.wire.sums import rise

if TYPE_CHECKING:
    from switchgear.calls import Usage

__all__ = ["Running"]

_KEPT: Final = 4096


class Running:
    """Remembers what of each running total is counted already; of the 4096 that were asked about last.

    It is this process's memory: another process, or this one after a new start, counts a total anew
    if it is asked about again.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._counted: Final[OrderedDict[tuple[str, str], Usage]] = OrderedDict()

    def rise(self, service: str, name: str, total: Usage) -> Usage:
        """Return what *total* of the thing called *name* has more than was counted of it, and count that."""
        key = (service, name)
        with self._lock:
            counted = self._counted.pop(key, NO_USAGE)
            more = rise(total, counted)
            self._counted[key] = total
            if len(self._counted) > _KEPT:
                self._counted.popitem(last=False)
        return more
