"""Durations as people write them: ``"250ms"``, ``"30s"``, ``"2m"``, ``"1h"``, ``"7d"``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from switchgear.clock import MICROS

__all__ = ["format_duration", "parse_duration", "spoken"]

_UNITS: Final = {"ms": 1_000, "s": MICROS, "m": 60 * MICROS, "h": 3600 * MICROS, "d": 86_400 * MICROS}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")


def parse_duration(value: object) -> int:
    """Return a duration such as ``"250ms"``, ``"30s"``, ``"2m"``, ``"1h"`` or ``"7d"`` in microseconds.

    Raises:
        ValueError: no text, no unit, or not a number before the unit.
    """
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return round(Decimal(match[1]) * _UNITS[match[2]])
    msg = f'a duration needs a unit: "250ms", "30s", "2m", "1h" or "7d", not {value!r}'
    raise ValueError(msg)


def format_duration(micros: int) -> str:
    """Return *micros* in the largest unit that divides it, as *parse_duration* reads it."""
    for unit in ("d", "h", "m", "s"):
        if micros and micros % _UNITS[unit] == 0:
            return f"{micros // _UNITS[unit]}{unit}"
    return f"{micros // 1000}ms"


def spoken(seconds: float) -> str:
    """Return *seconds* as a sentence says it: ``1.5 h``, ``2.0 min``, ``42.0 s``."""
    for size, name in ((3600, "h"), (60, "min")):
        if seconds > 1.5 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.1f} s"
