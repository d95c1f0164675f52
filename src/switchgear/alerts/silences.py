"""Silences: for a time nobody is told of the alerts that match."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.alerts.alert import Alert

__all__ = ["BadSilence", "Silence", "facts_of", "known_matchers", "read_matchers"]

_MATCHER: Final = re.compile(r"\s*([a-z_]+)\s*=\s*(.*?)\s*", re.DOTALL)
_KNOWN: Final = ("rule", "severity", "service", "budget", "value", "limit")


class BadSilence(ValueError):
    """What was asked for is no silence; the text says why."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody is told of alerts that have all of *matchers*, from *at* to *until*, in epoch microseconds."""

    id: str
    matchers: dict[str, str]
    at: int
    until: int
    by: str
    reason: str

    def covers(self, alert: Alert, now: int) -> bool:
        """Return whether it holds at *now* and *alert* is one that it is for."""
        if not now < self.until:
            return False
        facts = facts_of(alert)
        return all(facts.get(name) == value for name, value in self.matchers.items())


def facts_of(alert: Alert) -> Mapping[str, str]:
    """Return what a silence can match *alert* by."""
    return {"rule": alert.rule, "severity": alert.severity, **alert.labels}


def read_matchers(text: str) -> dict[str, str]:
    """Return matchers such as ``rule=error-rate, service=openai``.

    Raises:
        BadSilence: one of them can't be read, or there is none.
    """
    found: dict[str, str] = {}
    for piece in filter(str.strip, text.split(",")):
        match = _MATCHER.fullmatch(piece)
        if match is None or not match[2]:
            msg = f"{piece.strip()!r} is not such as service=openai"
            raise BadSilence(msg)
        found[match[1]] = match[2]
    known_matchers(found)
    return found


def known_matchers(matchers: Mapping[str, str]) -> None:
    """Raise BadSilence if *matchers* are none, or name what no alert has."""
    if not matchers:
        msg = "a silence needs at least one matcher, such as service=openai"
        raise BadSilence(msg)
    for name in matchers:
        if name not in _KNOWN:
            msg = f"nothing can be matched by {name!r}; known are {', '.join(_KNOWN)}"
            raise BadSilence(msg)
