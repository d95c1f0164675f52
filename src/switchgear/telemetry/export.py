"""``export``: what a governor does leaves for other people's tools, as configuration and environment say."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from switchgear.errors import ConfigError
from switchgear.telemetry.otlp.destinations import destinations
from switchgear.telemetry.otlp.frames import Setup
from switchgear.telemetry.otlp.outbox import Outbox
from switchgear.telemetry.spans.facts import facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from switchgear.clients.governor import Governor
    from switchgear.config.model import Config
    from switchgear.insight.exports import ExportCounts
    from switchgear.telemetry.otlp.destinations import Destination

__all__ = ["Export", "export", "is_installed"]

_log = logging.getLogger("switchgear.telemetry")


class Export:
    """The export of one governor; *close* it after the last call, before the governor."""

    def __init__(self, governor: Governor, to: tuple[Destination, ...]) -> None:
        self._to: Final = to
        self._outbox: Final = Outbox(
            _setup(governor.config, to), clock=governor.clock, most=governor.config.telemetry.queue
        )
        self._leave: Final = governor.bus.subscribe(self._outbox.listen)
        self._outbox.start()

    @property
    def counts(self) -> ExportCounts:
        """What became of everything so far."""
        return self._outbox.counts

    def adopt(self, config: Config) -> None:
        """Hold to the services of *config*; where to export to stays as it is until the next start."""
        self._outbox.adopt(_setup(config, self._to))

    def close(self) -> None:
        """Export what is under way as it stands; takes some seconds at most. The second time does nothing."""
        self._leave()
        self._outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def export(governor: Governor, *, environ: Mapping[str, str] | None = None) -> Export | None:
    """Begin to export what *governor* does; None: nobody said where to.

    Args:
        governor: it; its configuration's ``[telemetry]`` says what is exported.
        environ: the environment that says where to; default: that of the process.

    Raises:
        ConfigError: an address is none; or the extra ``otel`` is not installed, and the configuration insists.
    """
    to = destinations(governor.config.telemetry, os.environ if environ is None else environ)
    if not to:
        return None
    if not is_installed():
        msg = 'nothing is exported by OTLP: pip install "switchgear[otel]", or set telemetry.traces = "off"'
        if "on" in {governor.config.telemetry.traces, governor.config.telemetry.metrics}:
            raise ConfigError(msg)
        _log.warning("%s", msg)
        return None
    return Export(governor, to)


def is_installed() -> bool:
    """Return whether the extra ``otel`` is there."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # of a package that it is in
        return False


def _setup(config: Config, to: tuple[Destination, ...]) -> Setup:
    telemetry = config.telemetry
    return Setup(
        services=facts_of(config.services),
        destinations=to,
        sample=float(telemetry.sample),
        sample_above=telemetry.sample_above_usd,
        queue=telemetry.queue,
        idle=telemetry.idle,
        content_bytes=telemetry.content_bytes,
        redact=telemetry.redact,
    )
