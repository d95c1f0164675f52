"""How the lines of a server look: JSON for machines, colours for a terminal. structlog writes both."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from switchgear import context
from switchgear.clock import SystemClock
from switchgear.telemetry.logs.line import EXTRA
from switchgear.telemetry.logs.repeats import Repeats
from switchgear.telemetry.masking import Masking

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import TextIO

    from structlog.typing import EventDict, Processor, WrappedLogger

    from switchgear.config.telemetry import TelemetryConfig

__all__ = ["handler_for", "set_up"]

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_LONGEST: Final = 2000
"""Characters of a value."""

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What would begin another line, command a terminal, or turn text around."""


def set_up(config: TelemetryConfig, stream: TextIO = sys.stderr) -> None:
    """Have this process log to *stream* as *config* says; other packages' lines from warnings on.

    Without structlog, or with ``logs = "off"``, logging stays as it is.
    """
    handler = handler_for(config, stream)
    if handler is None:
        return
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("switchgear").setLevel(_LEVELS[config.log_level])


def handler_for(config: TelemetryConfig, stream: TextIO) -> logging.Handler | None:
    """Return what writes lines to *stream* as *config* says; None: it says not to, or structlog is not installed."""
    if config.logs == "off":
        return None
    try:
        import structlog
    except ModuleNotFoundError:
        return None
    for_people = config.logs == "console" or (config.logs == "auto" and stream.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if for_people
        else structlog.processors.JSONRenderer(default=str)
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not for_people:
        last.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _fields,
                _bound,
            ],
            processors=[*last, _Clean(Masking(config.redact)), renderer],
        )
    )
    handler.addFilter(Repeats(handler, clock=SystemClock()))
    return handler


def _fields(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    """Put in what the line says besides its name."""
    record: logging.LogRecord | None = line.get("_record")
    said: MutableMapping[str, Any] = getattr(record, EXTRA, None) or {}
    line.update({name: value for name, value in said.items() if name not in line})
    line["pid"] = os.getpid()
    return line


def _bound(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    """Put in on whose behalf this thread or task works, where the line does not say."""
    who = context.current()
    for name in ("job", "run", "layer"):
        if (value := who.value(name)) is not None:
            line.setdefault(name, value)
    return line


class _Clean:
    """Takes secrets out of whatever is going to be written, keeps it to one line, and bounds it."""

    def __init__(self, masking: Masking) -> None:
        self._masking: Final = masking

    def __call__(self, _logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
        for name, value in line.items():
            if isinstance(value, str):
                cleaned = self._masking(value)
                if name != "exception":
                    cleaned = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", cleaned[: _LONGEST + 1])
                    cleaned = f"{cleaned[:_LONGEST]}..." if len(cleaned) > _LONGEST else cleaned
                line[name] = cleaned
        return line
