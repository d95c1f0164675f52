"""Prices that the configuration states: a handful of numbers for a model, ready to count with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from switchgear.policies.price import OWN, REQUEST, Price, Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["own_price"]

_MILLION: Final = 1_000_000
_TOKENS: Final = frozenset({"input", "output", "cache_read", "cache_write", "reasoning"})


def own_price(name: str, entry: Mapping[str, int]) -> Price:
    """Return the price that *entry* states for the model called *name* (``*``: any).

    Numbers are nano-USD: per million tokens for ``input``, ``output``, ``cache_read``,
    ``cache_write`` and ``reasoning``; per call for ``request``; per unit for any other name. Cached
    input without a number of its own costs what input costs, reasoning what output costs. What
    the entry does not name is free: the entry is the whole price.

    The version holds a digest of the entry, so that a row in the ledger tells one state of the
    configuration from the next.
    """
    plain_in = entry.get("input", 0)
    plain_out = entry.get("output", 0)
    units = {unit: nano * _MILLION for unit, nano in entry.items() if unit not in _TOKENS and unit != REQUEST}
    written = ";".join(f"{unit}={nano}" for unit, nano in sorted(entry.items()))
    return Price(
        version=f"{OWN}{name}/{hashlib.sha256(written.encode()).hexdigest()[:8]}",
        scale=_MILLION,
        rates=Rates(
            input=plain_in,
            cache_read=entry.get("cache_read", plain_in),
            cache_write=entry.get("cache_write", plain_in),
            output=plain_out,
            reasoning=entry.get("reasoning", plain_out),
            units=units,
        ),
        request=entry.get(REQUEST, 0) * _MILLION,
    )
