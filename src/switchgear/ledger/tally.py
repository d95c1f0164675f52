"""What a set of attempts adds to roll-ups and job totals, summed in Python before it is written."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.ledger.schema import BUCKET_US, SLOT_US, SUMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.calls import CallStatus, Usage

__all__ = ["Place", "Tally"]

_Key = tuple[int, str, str, str, str, str, str]
"""The key of a roll-up, and the job."""


class Place(NamedTuple):
    """Where an attempt belongs; a missing value and an empty one are the same place."""

    started_at: int
    service: str
    model: str | None
    layer: str | None
    key: str | None
    job: str | None


class Tally:
    """Sums by roll-up group and by job, ready for the upserts."""

    def __init__(self) -> None:
        self._sums: Final[dict[_Key, list[int]]] = {}

    def add(
        self,
        place: Place,
        status: CallStatus,
        *,
        usage: Usage,
        cost: int | None,
        estimated: bool,
        duration_us: int,
        waited_us: int,
    ) -> None:
        """Count one attempt that is over. *cost* None counts as unpriced."""
        started_at, service, model, layer, key, job = place
        bucket = started_at - started_at % BUCKET_US
        group = (bucket, service, model or "", layer or "", key or "", status, job or "")
        sums = self._sums.get(group)
        if sums is None:
            sums = self._sums[group] = [0] * len(SUMS)
        sums[0] += 1
        sums[1] += usage.input_tokens
        sums[2] += usage.output_tokens
        sums[3] += usage.cache_read_tokens
        sums[4] += usage.cache_write_tokens
        sums[5] += usage.reasoning_tokens
        if cost is None:
            sums[7] += 1
        else:
            sums[6] += cost
        sums[8] += estimated
        sums[9] += duration_us
        sums[10] += waited_us

    def rollups(self) -> list[tuple[int | str, ...]]:
        """Return rows for the table of roll-ups: the group, then its sums."""
        return self._grouped(lambda group: group[:6])

    def changes(self) -> list[tuple[int, int]]:
        """Return rows for the changes of roll-ups: each hour that has one, and that it is one more."""
        return [(slot, 1) for slot in sorted({group[0] - group[0] % SLOT_US for group in self._sums})]

    def jobs(self) -> list[tuple[int | str, ...]]:
        """Return rows for the job totals: job and status, then their sums."""
        return self._grouped(lambda group: (group[6], group[5]))

    def _grouped(self, part: Callable[[_Key], tuple[int | str, ...]]) -> list[tuple[int | str, ...]]:
        found: dict[tuple[int | str, ...], list[int]] = {}
        for group, sums in self._sums.items():
            name = part(group)
            known = found.get(name)
            found[name] = sums if known is None else list(map(add, known, sums))
        return [(*name, *sums) for name, sums in found.items()]
