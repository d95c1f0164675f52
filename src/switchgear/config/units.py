"""The notations of the configuration file: durations with a unit, money as decimal strings."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from switchgear.durations import format_duration, parse_duration
from switchgear.money import to_nano, to_usd
from switchgear.wire.unit_rules import UnitRule, parse_rule, written_rule

__all__ = ["Calls", "Duration", "Rule", "Usd", "Window", "format_duration", "parse_duration", "parse_usd"]

_LARGEST_EXPONENT: Final = 14  # 100 trillion USD; far above it, exact arithmetic would need unbounded memory


class Calls(int):
    """A number of calls, where a duration could stand too."""


def _window(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return Calls(value)
    try:
        return parse_duration(value)
    except ValueError:
        msg = f'a window is a duration such as "60s", or a whole number of calls from 1 on, not {value!r}'
        raise ValueError(msg) from None


def _written(window: int) -> int | str:
    return int(window) if isinstance(window, Calls) else format_duration(window)


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

Window = Annotated[
    int, PlainValidator(_window, json_schema_input_type=int | str), PlainSerializer(_written, return_type=int | str)
]
"""A stretch of time in microseconds, written as text with a unit; or *Calls*, written as a whole number."""

Rule = Annotated[
    UnitRule,
    PlainValidator(parse_rule, json_schema_input_type=str | int | list[str | int]),
    PlainSerializer(written_rule, return_type=str | int | list[str | int]),
]
"""How a unit is counted; see *switchgear.wire.unit_rules*."""
