"""What a server tells of itself to others: lines of log, spans and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.insight.metrics import HealthReason
from switchgear.telemetry.export import export
from switchgear.telemetry.logs.lines import Lines

if TYPE_CHECKING:
    from switchgear.clients.governor import Governor
    from switchgear.config.model import Config
    from switchgear.insight.exports import ExportCounts

__all__ = ["Telemetry"]


class Telemetry:
    """Listens to *governor*; *close* it before that.

    Raises:
        ConfigError: the environment names an address to export to that is none.
    """

    def __init__(self, governor: Governor) -> None:
        self._export: Final = export(governor)
        self._leave: Final = governor.bus.subscribe(Lines().listen)

    def counts(self) -> ExportCounts | None:
        """Return what became of what was exported; None: nothing is."""
        return None if self._export is None else self._export.counts

    def notes(self) -> tuple[HealthReason, ...]:
        """Return what people should know of it: calls go on without it, so it makes nothing unhealthy."""
        counts = self.counts()
        if counts is None:
            return ()
        texts = [] if counts.problem is None else [f"Nothing is exported: {counts.problem}."]
        texts += [
            f"{one.signal.capitalize()} do not reach {one.url}: {one.problem} (lost: {one.dropped + one.failed:,})."
            for one in counts.destinations
            if one.problem is not None
        ]
        return tuple(HealthReason(status="healthy", text=text, subject="telemetry") for text in texts)

    def adopt(self, config: Config) -> None:
        """Hold to *config* from now on."""
        if self._export is not None:
            self._export.adopt(config)

    def close(self) -> None:
        """Export what is under way; the second time does nothing."""
        self._leave()
        if self._export is not None:
            self._export.close()
