"""The notations of the configuration file: durations with a unit, money as decimal strings."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

from switchgear.clock import MICROS
from switchgear.money import to_nano, to_usd

__all__ = ["Duration", "Usd", "format_duration", "parse_duration", "parse_usd"]

_UNITS: Final = {"ms": 1_000, "s": MICROS, "m": 60 * MICROS, "h": 3600 * MICROS, "d": 86_400 * MICROS}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_LARGEST_EXPONENT: Final = 14  # 100 trillion USD; far above it, exact arithmetic would need unbounded memory


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


def parse_usd(value: object) -> int:
    """Return money such as ``"0.15"`` in nano-USD.

    Raises:
        ValueError: a float, a negative amount, or no number.
    """
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        msg = f'money is a string of USD such as "12.50", not {value!r}'
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns a ValueError into a located error
    try:
        is_vast = Decimal(value).adjusted() > _LARGEST_EXPONENT
        nano = 0 if is_vast else to_nano(value)
    except ArithmeticError:
        msg = f"not an amount of USD: {value!r}"
        raise ValueError(msg) from None
    if is_vast:
        msg = "more money than there is"
        raise ValueError(msg)
    if nano < 0:
        msg = f"money can't be negative: {value!r}"
        raise ValueError(msg)
    return nano


Duration = Annotated[int, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]
"""Microseconds, written as text with a unit."""

Usd = Annotated[int, BeforeValidator(parse_usd), PlainSerializer(lambda nano: f"{to_usd(nano):f}", return_type=str)]
"""Nano-USD, written as a decimal string of USD."""
