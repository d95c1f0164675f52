"""One resolved price, and the arithmetic on it: exact integers, rounded once.

A price keeps its rates as whole numbers over one common *scale*, so that thirds of a nano-USD
and rates per hour stay exact: ``rate / scale`` is nano-USD for one token or unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from switchgear.calls import Usage

__all__ = ["BILLED", "OWN", "REQUEST", "Price", "Rates", "cost_of", "version_of", "worst_case_of"]

REQUEST = "request"
"""The unit that every call uses once, unless its usage says otherwise."""


BILLED = "billed by the provider"
"""The version of a price that nobody worked out: the provider said what the call cost."""

OWN = "config/"
"""How the versions of prices begin that the configuration states."""


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """What each kind of token costs, as numerators over the price's *scale*.

    Attributes:
        above: these rates hold when the input is more than this many tokens.
        input: input that is neither read from nor written to a cache.
        output: output that is not reasoning.
        units: other things. For a special kind of token that the input or output already
            counts (``input_audio_tokens``), the difference to its plain rate.
    """

    above: int = -1
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    units: Mapping[str, int] = {}


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A price, ready to count with.

    Attributes:
        version: where it comes from, e.g. ``genai-prices 0.2.3/openai/gpt-4o-mini``.
        scale: the common denominator of all rates.
        rates: what holds up to the first of *tiers*.
        tiers: rates for long inputs, by rising *above*; the last that applies holds for all tokens.
        request: what each call costs by itself.
        least: the smallest count of a unit that is billed, where there is one: a smaller one, but 0, is raised to it.
    """

    version: str
    scale: int
    rates: Rates
    tiers: tuple[Rates, ...] = ()
    request: int = 0
    least: Mapping[str, int] = {}

    @property
    def is_own(self) -> bool:
        """Whether the configuration states it."""
        return self.version.startswith(OWN)


def version_of(price: Price | None) -> str | None:
    """Return where *price* comes from; None: there is none."""
    return None if price is None else price.version


def cost_of(price: Price, usage: Usage) -> int:
    """Return what *usage* costs in nano-USD, rounded half to even once.

    A cached or reasoning count above its total is taken at its word; no part is ever negative.
    """
    rates = price.rates
    for tier in price.tiers:
        if usage.input_tokens > tier.above:
            rates = tier
    read = usage.cache_read_tokens
    written = usage.cache_write_tokens
    reasoning = usage.reasoning_tokens
    if not (read or written or reasoning):
        total = usage.input_tokens * rates.input + usage.output_tokens * rates.output
    else:
        total = (
            max(0, usage.input_tokens - read - written) * rates.input
            + read * rates.cache_read
            + written * rates.cache_write
            + max(0, usage.output_tokens - reasoning) * rates.output
            + reasoning * rates.reasoning
        )
    requests = 1
    for unit, count in usage.units:
        if unit == REQUEST:
            requests = count
        else:
            if count and price.least:
                count = max(count, price.least.get(unit, 0))  # noqa: PLW2901 - from here on it is the billed one
            total += count * rates.units.get(unit, 0)
    whole, rest = divmod(max(0, total) + requests * price.request, price.scale)
    twice = 2 * rest
    return whole + (twice > price.scale or (twice == price.scale and whole & 1))


def worst_case_of(price: Price, bound: Usage) -> int:
    """Return the most that a usage within *bound* can cost, in nano-USD, rounded up.

    Within: no count is higher than in *bound*; cached tokens are part of the input and reasoning
    is part of the output. Every token counts at the dearest rate that it can get, in the dearest
    tier that the input can reach.
    """
    if not price.tiers and not bound.units:  # nearly every call of a model
        rates = price.rates
        dearest = bound.input_tokens * max(rates.input, rates.cache_read, rates.cache_write)
        dearest += bound.output_tokens * max(rates.output, rates.reasoning)
        return -((-dearest - price.request) // price.scale)
    reachable = [price.rates, *(tier for tier in price.tiers if bound.input_tokens > tier.above)]
    if price.least:
        raised = tuple((unit, max(count, price.least.get(unit, 0))) for unit, count in bound.units)
        bound = msgspec.structs.replace(bound, units=raised)
    dearest = max(_ceiling(rates, bound) for rates in reachable)
    requests = next((count for unit, count in bound.units if unit == REQUEST), 1)
    return -((-dearest - requests * price.request) // price.scale)


def _ceiling(rates: Rates, bound: Usage) -> int:
    total = bound.input_tokens * max(rates.input, rates.cache_read, rates.cache_write)
    total += bound.output_tokens * max(rates.output, rates.reasoning)
    for unit, count in bound.units:
        if unit != REQUEST:
            total += count * max(0, rates.units.get(unit, 0))
    return total
