"""Arguments that people pass: checked once, at the door, with a sentence that says what is wanted."""

from __future__ import annotations

import datetime as dt
import math

from switchgear.clock import micros
from switchgear.durations import parse_duration

__all__ = ["at_least", "duration_us", "share", "whole"]


def whole(name: str, value: object, *, least: int = 1) -> int:
    """Return *value* if it is a whole number from *least* on.

    Raises:
        ValueError: it is not; a bool or a text is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} is a whole number from {least} on, not {value!r}"
        raise ValueError(msg)
    return value


def share(name: str, value: object, *, zero: bool = False) -> float:
    """Return *value* if it is a number above 0 (with *zero*: from 0 on) and at most 1.

    Raises:
        ValueError: it is not.
    """
    number = _number(value)
    if number is None or number > 1 or number < 0 or (number == 0 and not zero):
        msg = f"{name} is a number {'from 0' if zero else 'above 0 and up'} to 1, not {value!r}"
        raise ValueError(msg)
    return number


def at_least(name: str, value: object, least: float) -> float:
    """Return *value* if it is a finite number from *least* on.

    Raises:
        ValueError: it is not.
    """
    number = _number(value)
    if number is None or number < least:
        msg = f"{name} is a number from {least:g} on, not {value!r}"
        raise ValueError(msg)
    return number


def duration_us(name: str, value: object, *, zero: bool = False) -> int:
    """Return a duration in microseconds: seconds, a *timedelta*, or text with a unit such as ``"30s"``.

    Raises:
        ValueError: it is none of these, negative, or (unless *zero* is allowed) shorter than a microsecond.
    """
    if isinstance(value, str):
        us = _parsed(value)
    elif isinstance(value, dt.timedelta):
        us = value // dt.timedelta(microseconds=1)
    else:
        number = _number(value)
        us = -1 if number is None else micros(number)
    if us < 0 or (us == 0 and not zero):
        wanted = "from 0 on" if zero else "above 0"
        msg = f'{name} is a duration {wanted}: seconds, a timedelta, or text such as "30s", not {value!r}'
        raise ValueError(msg)
    return us


def _parsed(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        return -1


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
