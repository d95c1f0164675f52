"""A price as people read it: what each thing costs, since when, and what else it could cost.

Amounts are as their source states them (USD for so many tokens or units), not as they are
compiled for counting.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.money import to_usd
from switchgear.policies.price import REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from genai_prices.types import ConditionalPrice, ModelPrice, PriceVariant
    from genai_prices.units import UnitDef

    from switchgear.policies.price_list import Listed

__all__ = ["PriceFacts", "PricePeriod", "Rate", "listed_facts", "own_rates"]

_TOKEN_RATES: Final = ("input", "output", "cache_read", "cache_write", "reasoning")
_MILLION: Final = 1_000_000


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of thing costs: *usd* for *per* of *unit*.

    Attributes:
        what: ``input``, ``output``, ``cache_read``, ``input_audio``, ``web_searches``, ...
        above: the rate holds when the input is more than this many tokens; None: from the first.
    """

    what: str
    usd: Decimal
    per: int
    unit: str
    above: int | None = None


class PricePeriod(msgspec.Struct, frozen=True, kw_only=True):
    """Rates that hold under a condition.

    Attributes:
        when: ``from 2026-03-13``, ``daily 00:30-16:30 UTC``, ``tier batch, from 2026-10-14``, or ``otherwise``.
        in_force: at the moment that was asked about, for a call of standard tier.
    """

    when: str
    in_force: bool
    rates: tuple[Rate, ...]


class PriceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of the price of *model* at *service*.

    Attributes:
        source: ``config`` or ``genai-prices``; None: no price is known.
        version: as it stands on each row of the ledger.
        provider: whose list it is from, and *entry* the list's own name for the model.
        rates: those in force; empty and *source* set: it costs nothing.
        periods: every dated or daily price of the entry, where it has more than one.
        tiers: what service tiers cost that have prices of their own.
    """

    service: str
    model: str | None
    source: str | None = None
    version: str | None = None
    provider: str | None = None
    entry: str | None = None
    context_window: int | None = None
    rates: tuple[Rate, ...] = ()
    periods: tuple[PricePeriod, ...] = ()
    tiers: tuple[PricePeriod, ...] = ()


def own_rates(entry: Mapping[str, int]) -> tuple[Rate, ...]:
    """Return what an entry of the configuration states, in nano-USD; see *own_price*."""
    return tuple(
        Rate(what=what, usd=to_usd(nano), per=_MILLION, unit="tokens")
        if what in _TOKEN_RATES
        else Rate(what=what, usd=to_usd(nano), per=1, unit="request" if what == REQUEST else what)
        for what, nano in entry.items()
    )


def listed_facts(
    listed: Listed, at: datetime, *, service: str, asked: str, version: str, units: Mapping[str, UnitDef]
) -> PriceFacts:
    """Return what the list says of *listed* at *at*, for the model *asked* for at *service*."""
    model = listed.model
    standard = model.get_prices(at)
    dated = model.prices if isinstance(model.prices, list) else []
    return PriceFacts(
        service=service,
        model=asked,
        source="genai-prices",
        version=version,
        provider=listed.provider.id,
        entry=model.id,
        context_window=model.context_window,
        rates=tuple(_rates(standard, units)),
        periods=tuple(
            PricePeriod(when=_when(one), in_force=one.prices is standard, rates=tuple(_rates(one.prices, units)))
            for one in dated
        ),
        tiers=tuple(
            PricePeriod(
                when=_tier(one),
                in_force=one.constraint is None or one.constraint.active(at),
                rates=rates,
            )
            for one in model.price_variants or ()
            if (rates := tuple(_rates(one.prices, units)))
        ),
    )


def _rates(prices: ModelPrice, units: Mapping[str, UnitDef]) -> Iterator[Rate]:
    known = [(units[key], rate) for key, rate in vars(prices).items() if rate is not None and key in units]
    for unit, rate in known:
        what, name = unit.usage_key.removesuffix("_tokens"), unit.usage_key.replace("_", " ")
        name = "tokens" if unit.dimensions.get("family") == "tokens" else name
        base = rate if isinstance(rate, Decimal) else rate.base
        yield Rate(what=what, usd=base, per=unit.per, unit=name)
        for tier in () if isinstance(rate, Decimal) else rate.tiers:
            yield Rate(what=what, usd=tier.price, per=unit.per, unit=name, above=tier.start)


def _when(one: ConditionalPrice | PriceVariant) -> str:
    start = getattr(one.constraint, "start_date", None)
    if start is not None:
        return f"from {start}"
    begin, end = getattr(one.constraint, "start_time", None), getattr(one.constraint, "end_time", None)
    return "otherwise" if begin is None or end is None else f"daily {begin:%H:%M}-{end:%H:%M} UTC"


def _tier(variant: PriceVariant) -> str:
    tier = f"tier {', '.join(sorted(set(map(str, variant.when.values()))))}"
    return tier if variant.constraint is None else f"{tier}, {_when(variant)}"
