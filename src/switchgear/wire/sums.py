"""Adding usages up, and what one has more than another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.calls import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["plus", "rise"]


def plus(one: Usage, other: Usage) -> Usage:
    """Return what both used together."""
    return _each(one, other, lambda a, b: a + b)


def rise(total: Usage, before: Usage) -> Usage:
    """Return what *total* has more than *before*; of nothing less than none."""
    return _each(total, before, lambda a, b: max(0, a - b))


def _each(one: Usage, other: Usage, join: Callable[[int, int], int]) -> Usage:
    first, second = dict(one.units), dict(other.units)
    units = ((unit, join(first.get(unit, 0), second.get(unit, 0))) for unit in sorted({*first, *second}))
    return Usage(
        input_tokens=join(one.input_tokens, other.input_tokens),
        output_tokens=join(one.output_tokens, other.output_tokens),
        cache_read_tokens=join(one.cache_read_tokens, other.cache_read_tokens),
        cache_write_tokens=join(one.cache_write_tokens, other.cache_write_tokens),
        reasoning_tokens=join(one.reasoning_tokens, other.reasoning_tokens),
        units=tuple((unit, count) for unit, count in units if count),
    )
