"""What rules look at: for each metric and window the subjects and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.alerts.rules import Rule

__all__ = ["Asked", "Reading", "Readings", "asked_by", "values_of"]


class Asked(NamedTuple):
    """A metric over a window; None: as of now."""

    metric: str
    window_us: int | None


class Reading(NamedTuple):
    """The value of one subject. *calls*: the answered calls that it is from, where it is from calls."""

    labels: dict[str, str]
    value: float | None
    calls: int | None = None


Readings = dict[Asked, "Sequence[Reading]"]
"""What could be read: who asks for what is not in it learns nothing, so nothing changes."""


def asked_by(rule: Rule) -> Asked:
    """Return what *rule* looks at."""
    return Asked(rule.metric, rule.window_us)


def values_of(rule: Rule, readings: Mapping[Asked, Sequence[Reading]]) -> list[tuple[dict[str, str], float | None]]:
    """Return each subject of *rule* with its value, None where there are too few calls to say."""
    found: list[tuple[dict[str, str], float | None]] = []
    for reading in readings[asked_by(rule)]:
        if rule.applies(reading.labels):
            enough = reading.calls is None or reading.calls >= rule.minimum_calls
            found.append((reading.labels, reading.value if enough else None))
    return found
