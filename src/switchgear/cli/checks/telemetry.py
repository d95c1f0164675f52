"""Where traces and metrics are to go, and what the running server has lost of them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchgear.cli.errors import UnreachableError
from switchgear.cli.fetch import fetch
from switchgear.cli.settings import address
from switchgear.errors import ConfigError
from switchgear.insight.checks.exports import check_exports
from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.config.model import Config
    from switchgear.telemetry.otlp.destinations import Destination

__all__ = ["check_telemetry"]

_PATIENCE = 3.0


def check_telemetry(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The endpoints that the environment names answer, and the server, if one runs, has lost nothing."""
    from switchgear.telemetry.export import is_installed
    from switchgear.telemetry.otlp.destinations import destinations

    try:
        to = destinations(config.telemetry, environ)
    except ConfigError as error:
        yield Finding("fail", "telemetry", str(error))
        return
    if to and not is_installed():
        text = "the environment names an endpoint for OTLP, and nothing is exported: the extra is not installed"
        yield Finding("warn", "telemetry", text, 'pip install "switchgear[otel]", or telemetry.traces = "off"')
        return
    for one in to:
        yield _reach(one)
    yield from _running(config)


def _reach(one: Destination) -> Finding:
    parts = urlsplit(one.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE).close()
    except OSError as error:
        why = error.strerror or type(error).__name__
        text = f"{one.signal} to {one.shown}: nobody can be reached there ({why})"
        return Finding("warn", "telemetry", text, "start the collector, or correct the variable that names it")
    return Finding("ok", "telemetry", f"{one.signal} go to {one.shown}, where somebody listens")


def _running(config: Config) -> Iterator[Finding]:
    from switchgear.insight.exports import ExportCounts

    try:
        said = fetch(address(config), "/api/metrics").get("exports")
    except (UnreachableError, ConfigError):
        return  # no server, or one that asks who we are: its page says it
    if said is not None:
        yield from check_exports(msgspec.convert(said, ExportCounts))
