"""The price list of genai-prices, read from its bundled data and compiled to integers.

Nothing here goes to the network. The list takes a third of a second to import, so it is loaded
when the first price is looked up.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.clock import MICROS
from switchgear.money import NANO_PER_USD
from switchgear.policies.price import Price, Rates
from switchgear.policies.price_facts import listed_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices
    from genai_prices.units import UnitDef

    from switchgear.policies.price_facts import PriceFacts

__all__ = ["Listed", "ListedPrice", "PriceList"]

_MINUTE: Final = 60 * MICROS

_FREE: Final = frozenset({("openai", "moderation")})
"""Entries without any rate that their provider documents as free of charge; others are unknown."""

_BILLED_FROM_TEN_SECONDS: Final = frozenset({("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")})
_LEAST_SECONDS: Final = {"audio_seconds": 10, "input_audio_seconds": 10}
"""What genai-prices has in its code and not in its data: these bill every request for ten seconds at least."""

_FIELDS: Final = {
    "input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "output_tokens": "output",
    "output_reasoning_tokens": "reasoning",
}
_PARENT: Final = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}


class Listed(NamedTuple):
    """A model of the list. *provider* is whose list was asked, the model's own or one that offers it too."""

    provider: Provider
    model: ModelInfo


class PriceList:
    """Finds models of genai-prices and compiles their prices."""

    def __init__(self) -> None:
        self._units: dict[str, UnitDef] | None = None

    def knows(self, provider: str) -> bool:
        """Return whether *provider* is the exact id of a provider in the list."""
        from genai_prices.data_snapshot import get_snapshot

        return any(one.id == provider for one in get_snapshot().providers)

    def find(self, provider: str, model: str) -> Listed | None:
        """Return the entry for *model*, also by a dated name or with a router's prefix; None if there is none.

        ``anthropic/claude-...`` is looked up whole first, since routers have prices of their own,
        and then without its prefix in the list of the provider that the prefix names.
        """
        if found := self._look_up(provider, model):
            return found
        prefix, slash, rest = model.partition("/")
        return self._look_up(prefix, rest) if slash and self.knows(prefix) else None

    def _look_up(self, provider: str, model: str) -> Listed | None:
        from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

        providers = get_snapshot().providers
        if (owner := find_provider_by_id(providers, provider)) is None:
            return None
        entry = owner.find_model(model, all_providers=providers)
        return None if entry is None else Listed(owner, entry)

    def price(self, listed: Listed, at_us: int, tier: str | None) -> Price | None:
        """Return the price at *at_us* (epoch microseconds), in the service tier called *tier* if it has its own.

        None: the list names the model but no rate for it, or one for a unit that nobody knows.
        """
        from genai_prices import __version__

        model = listed.model
        at = datetime.fromtimestamp(at_us // MICROS, UTC)
        standard = model.get_prices(at)
        chosen = standard
        if tier is not None and any(model is one for one in listed.provider.models):
            chosen = model.get_prices(at, {"service_tier": tier, "processing": tier, "speed": tier})
        version = f"genai-prices {__version__}/{listed.provider.id}/{model.id}{_since(model, standard)}"
        if chosen != standard:
            version += f"/{tier}"
        rates = {key: value for key, value in vars(chosen).items() if value is not None}
        if not rates:
            is_free = (listed.provider.id, model.id) in _FREE or model.id.endswith(":free")
            return Price(version=version, scale=1, rates=Rates()) if is_free else None
        units = self._known_units()
        if not rates.keys() <= units.keys():
            return None
        least = _LEAST_SECONDS if (listed.provider.id, model.id) in _BILLED_FROM_TEN_SECONDS else {}
        return _compiled(version, rates, units, least)

    def facts(self, listed: Listed, at_us: int, *, service: str, asked: str) -> PriceFacts | None:
        """Return what the list says of *listed*, for people; None where *price* knows none."""
        price = self.price(listed, at_us, None)
        if price is None:
            return None
        at = datetime.fromtimestamp(at_us // MICROS, UTC)
        return listed_facts(listed, at, service=service, asked=asked, version=price.version, units=self._known_units())

    def _known_units(self) -> Mapping[str, UnitDef]:
        if self._units is None:
            from genai_prices.data_units import unit_data
            from genai_prices.units import UnitRegistry

            self._units = {unit.price_key: unit for unit in UnitRegistry(unit_data).units.values()}
        return self._units


class ListedPrice:
    """The price of one model, kept for the minute for which it was looked up: lists change at whole minutes."""

    def __init__(self, prices: PriceList, listed: Listed, tier: str | None) -> None:
        self._prices = prices
        self._listed = listed
        self._tier = tier
        self._kept: tuple[int, Price | None] | None = None

    def at(self, at_us: int) -> Price | None:
        """Return the price at *at_us* (epoch microseconds)."""
        minute = at_us // _MINUTE
        kept = self._kept
        if kept is None or kept[0] != minute:
            kept = self._kept = (minute, self._prices.price(self._listed, at_us, self._tier))
        return kept[1]


def _since(model: ModelInfo, prices: ModelPrice) -> str:
    """Return ``/2025-08-05``, the day from which *prices* hold, where the list dates them."""
    if isinstance(model.prices, list):
        for dated in model.prices:
            if dated.prices is prices and (start := getattr(dated.constraint, "start_date", None)):
                return f"/{start}"
    return ""


def _compiled(
    version: str,
    rates: Mapping[str, Decimal | TieredPrices],
    units: Mapping[str, UnitDef],
    least: Mapping[str, int],
) -> Price:
    starts = sorted({tier.start for rate in rates.values() if not isinstance(rate, Decimal) for tier in rate.tiers})
    steps = {
        above: _coefficients([(units[key], _rate_above(rate, above)) for key, rate in rates.items()])
        for above in (-1, *starts)
    }
    scale = math.lcm(*(part.denominator for step in steps.values() for part in step.values()))
    whole = {above: {key: int(part * scale) for key, part in step.items()} for above, step in steps.items()}
    return Price(
        version=version,
        scale=scale,
        rates=_rates(-1, whole[-1]),
        tiers=tuple(_rates(start, whole[start]) for start in starts),
        request=whole[-1].get("requests", 0),
        least=least,
    )


def _rate_above(rate: Decimal | TieredPrices, above: int) -> Decimal:
    """Return the rate for inputs of more than *above* tokens, up to the next tier."""
    if isinstance(rate, Decimal):
        return rate
    return next((tier.price for tier in reversed(rate.tiers) if tier.start <= above), rate.base)


def _coefficients(rates: Iterable[tuple[UnitDef, Decimal]]) -> dict[str, Fraction]:
    """Return nano-USD for one of each unit, as the difference to what its wider units already cost.

    A cached audio token is counted in ``input_tokens``, ``cache_read_tokens``,
    ``input_audio_tokens`` and ``cache_audio_read_tokens``; the sum of these four differences is
    its rate. So a cost is one sum over the counts as they are reported, without splitting them.
    """
    done: dict[str, tuple[UnitDef, Fraction]] = {}
    for unit, rate in sorted(rates, key=lambda one: len(one[0].dimensions)):
        nano = Fraction(rate) * NANO_PER_USD / unit.per
        wider = (part for above, part in done.values() if above.dimensions.items() < unit.dimensions.items())
        done[unit.usage_key] = (unit, nano - sum(wider, Fraction(0)))
    return {key: part for key, (_, part) in done.items()}


def _rates(above: int, parts: Mapping[str, int]) -> Rates:
    plain = {field: parts.get(key, 0) for key, field in _FIELDS.items()}
    for field, parent in _PARENT.items():
        plain[field] += plain[parent]
    units = {key: part for key, part in parts.items() if part and key not in _FIELDS and key != "requests"}
    return Rates(above=above, units=units, **plain)
