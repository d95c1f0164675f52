"""Where traces and metrics go, as the environment says it.

``OTEL_EXPORTER_OTLP_*`` as OpenTelemetry defines them; ``LANGSMITH_API_KEY``, ``_PROJECT`` and ``_ENDPOINT`` for
LangSmith, whose OTLP endpoint they are mapped to. Both at once are two destinations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.config.telemetry import TelemetryConfig

__all__ = ["Destination", "Signal", "destinations"]

Signal = Literal["traces", "metrics"]

_LANGSMITH: Final = "https://api.smith.langchain.com"
_LOCAL: Final = "http://localhost:4318"


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint for one signal.

    Attributes:
        name: ``otlp`` or ``langsmith``.
        url: the whole address. *headers* go along, besides those of the environment where *name* is ``otlp``.
    """

    name: Literal["otlp", "langsmith"]
    signal: Signal
    url: str
    headers: dict[str, str] = {}

    @property
    def shown(self) -> str:
        """The address without a password."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def destinations(config: TelemetryConfig, environ: Mapping[str, str]) -> tuple[Destination, ...]:
    """Return where to export; nothing where the environment names no place or says not to.

    Raises:
        ConfigError: an address is none; or *config* insists on a signal and the environment forbids it.
    """
    found = [*_otlp("traces", config.traces, environ), *_otlp("metrics", config.metrics, environ)]
    if config.traces != "off" and environ.get("LANGSMITH_API_KEY") and not _says(environ, "LANGSMITH_TRACING", "false"):
        found.append(_langsmith(environ))
    for one in found:
        _check(one)
    return tuple(found)


def _otlp(signal: Signal, wanted: Literal["auto", "on", "off"], environ: Mapping[str, str]) -> list[Destination]:
    upper = signal.upper()
    exporter = environ.get(f"OTEL_{upper}_EXPORTER", "otlp").strip()
    if wanted == "off" or _says(environ, "OTEL_SDK_DISABLED", "true") or "otlp" not in exporter.split(","):
        return []
    whole, base = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT"), environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if wanted == "auto" and not whole and not base:
        return []
    return [Destination(name="otlp", signal=signal, url=whole or f"{(base or _LOCAL).rstrip('/')}/v1/{signal}")]


def _langsmith(environ: Mapping[str, str]) -> Destination:
    base = environ.get("LANGSMITH_ENDPOINT") or _LANGSMITH
    headers = {"x-api-key": environ["LANGSMITH_API_KEY"]}
    if project := environ.get("LANGSMITH_PROJECT"):
        headers["Langsmith-Project"] = project
    return Destination(name="langsmith", signal="traces", url=f"{base.rstrip('/')}/otel/v1/traces", headers=headers)


def _says(environ: Mapping[str, str], name: str, value: str) -> bool:
    return environ.get(name, "").strip().lower() == value


def _check(one: Destination) -> None:
    try:
        parts = urlsplit(one.url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        variable = "LANGSMITH_ENDPOINT" if one.name == "langsmith" else "OTEL_EXPORTER_OTLP_ENDPOINT"
        msg = f"{variable} must be an address such as {_LOCAL}, for {one.signal}"  # it may hold a password
        raise ConfigError(msg)
