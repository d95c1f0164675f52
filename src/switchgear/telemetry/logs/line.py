"""One line of log about a change of state: a name that stays the same, and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import logging

__all__ = ["EXTRA", "say"]

EXTRA: Final = "switchgear"
"""The attribute of a log record that has the line's fields; its ``subject`` says which lines repeat each other."""


def say(log: logging.Logger, level: int, name: str, about: tuple[object, ...], /, **said: object) -> None:
    """Log *name* with what is *said*, but for what is None; lines of one name *about* the same repeat each other."""
    if log.isEnabledFor(level):
        fields = {key: value for key, value in said.items() if value is not None}
        log.log(level, name, extra={EXTRA: fields, "subject": about})
