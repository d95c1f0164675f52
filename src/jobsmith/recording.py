"""From a prepared application to its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobsmith.applications import Applications
from jobsmith.inputs.posting import is_url
from switchgear.money import to_usd

if TYPE_CHECKING:
    from pathlib import Path

    from jobsmith.nouns import Prepared
    from switchgear import Governor

__all__ = ["Recording"]


class Recording:
    """Records applications where the configuration of *governor* keeps them.

    Args:
        governor: its ledger knows what a run has cost.
        folder: where the files are put; None: they are known as the run's artefacts alone.
    """

    def __init__(self, governor: Governor, *, folder: Path | None = None) -> None:
        self._governor: Final = governor
        self._folder: Final = folder

    def save(self, prepared: Prepared, *, job: str | None, run: str | None) -> None:
        """Record *prepared* as ready; what people have written in its record stays."""
        facts = prepared.facts
        known = {
            "role": facts.role or "not named",
            "company": facts.company or "not named",
            **({"url": prepared.origin} if is_url(prepared.origin) else {}),
        }
        files = {} if self._folder is None else prepared.files.model_dump()
        sums = () if run is None else self._governor.ledger.reader.run_sums(run)
        with Applications.from_config(self._governor.config, clock=self._governor.clock) as applications:
            applications.record(
                job=job or f"apply-{prepared.digest}",
                run=run,
                status="ready",
                fit=prepared.fit.score,
                cost_usd=to_usd(sum(one.cost for one in sums)),
                files={name: self._folder / file for name, file in files.items()} if self._folder else {},
                **known,
            )
