"""What budgets' calls used, hour by hour: read once, then only what has come since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.insight.soon import Soon
from switchgear.ledger.usage_views import ROLLED_UP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.insight.sources import UsageLedger
    from switchgear.ledger.usage_views import Steps

__all__ = ["HistoryMemory", "UnderWay"]

_AGAIN: Final = 3 * 3600 * MICROS
"""So much of what is known is read again: calls that were in flight are settled by then."""

_History = dict[str | None, dict[int, int]]


class UnderWay(Exception):
    """The history is being read, which takes a while: ask again."""


class HistoryMemory:
    """Answers as *UsageLedger.history* does. Safe to use from several threads.

    What budgets by job, run or tag used is in no roll-up, so the first time every attempt of three
    months is read: in the background, if that takes long.
    """

    def __init__(self, reader: UsageLedger) -> None:
        self._reader: Final = reader
        self._soon: Final = Soon()
        self._known: dict[tuple[object, ...], tuple[Steps, _History]] = {}

    def history(self, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None) -> _History:
        """Return what calls used, for each value of *each* and each step that has any.

        Raises:
            UnderWay: it is being read.
            LedgerError: the ledger can't be read.
        """
        key = (tokens, tuple(sorted(match.items())), each, steps.size_us, steps.shift_us)

        def read() -> _History:
            return self._read(key, steps, tokens=tokens, match=match, each=each)

        if {*match, each} <= {*ROLLED_UP, None}:
            return self._reader.history(steps, tokens=tokens, match=match, each=each)
        found = self._soon.get(key, read)
        if found is None:
            raise UnderWay
        return found

    def _read(
        self, key: tuple[object, ...], steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None
    ) -> _History:
        known = self._known.get(key)
        if known is None or not known[0].since <= steps.since <= known[0].until <= steps.until:
            found = self._reader.history(steps, tokens=tokens, match=match, each=each)
        else:
            edge = max(steps.since, known[0].until - _AGAIN)
            rest = msgspec.structs.replace(steps, since=edge)
            newer = self._reader.history(rest, tokens=tokens, match=match, each=each)
            found = {
                value: {at: used for at, used in known[1].get(value, {}).items() if steps.since <= at < edge}
                | newer.get(value, {})
                for value in known[1].keys() | newer.keys()
            }
        self._known = {**self._known, key: (steps, found)}
        return found
