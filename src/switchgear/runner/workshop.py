"""What runs are made with: the record, the log, the files, the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.runner.artefacts import ArtefactStore
from switchgear.runner.cache import LayerCache
from switchgear.runner.journal import Journal
from switchgear.runner.store import RunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Engine

    from switchgear.clients.governor import Governor

__all__ = ["Workshop"]


class Workshop:
    """The stores over one database, with the governor that calls go through.

    Attributes:
        store, journal, cache, files: see their classes.
        governor: the gate.
    """

    def __init__(self, engine: Engine, governor: Governor, folder: Path) -> None:
        self.engine: Final = engine
        self.governor: Final = governor
        self.store: Final = RunStore(engine)
        self.journal: Final = Journal(engine)
        self.cache: Final = LayerCache(engine)
        self.files: Final = ArtefactStore(folder, self.store)

    def now(self) -> int:
        """Return the time in epoch microseconds."""
        return self.governor.clock.moment().wall

    def say(self, run: str, text: str, *, kind: str = "run", layer: str | None = None) -> None:
        """Add a line to the log of *run*."""
        self.journal.write(run, text, at=self.now(), kind=kind, layer=layer)

    def hold(self, run: str, limits: Mapping[str | None, int]) -> None:
        """Hold the calls of *run* to *limits*, as long as it is under way here."""
        gate = self.governor
        gate.runs.hold(run, limits, gate.state, gate.clock.moment())

    def let_go(self, run: str) -> None:
        """Hold nobody to the budgets of *run* any more."""
        self.governor.runs.drop(run, self.governor.state)

    def count(self, run: str) -> None:
        """Put on record what the calls of *run* came to by now, in all and by layer."""
        by_step: dict[int, tuple[int, int]] = {}
        cost = calls = 0
        for one in self.governor.ledger.reader.run_sums(run):
            cost, calls = cost + one.cost, calls + one.calls
            step = one.tags.get("idempotency", "").rpartition(":")[2]
            if step.isdigit():
                before = by_step.get(int(step), (0, 0))
                by_step[int(step)] = (before[0] + one.cost, before[1] + one.calls)
        self.store.count(run, cost=cost, calls=calls, by_step=by_step)
