"""Which price holds for a call, and what a usage costs under it.

The order, first match wins:

1. the service's own entry for exactly this model;
2. the list of genai-prices, for services of the kinds ``openai`` and ``anthropic`` and for any
   service that names a ``provider``: dated names and router prefixes find their base model;
3. the service's own ``*`` entry;
4. none: the call is unpriced. A model is never given another model's price.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.policies.price import BILLED, Price, cost_of, version_of, worst_case_of
from switchgear.policies.price_facts import PriceFacts, own_rates
from switchgear.policies.price_list import ListedPrice, PriceList
from switchgear.policies.price_own import own_price

if TYPE_CHECKING:
    from switchgear.calls import Usage

__all__ = ["ANY_MODEL", "BILLED", "Price", "PriceBook", "PriceFacts", "PriceSource", "version_of"]

ANY_MODEL: Final = "*"
"""The name of a service's own entry for models without one."""

_KEPT: Final = 4096
"""Look-ups remembered; a caller that invents model names can't grow the book beyond it."""


class PriceSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the prices of a service come from.

    Attributes:
        kind: ``openai``, ``anthropic`` or ``http``.
        provider: whose list applies; None: the service's own name where the list knows it, else its kind.
        own: own prices: for each model, nano-USD per million tokens or per unit (see *own_price*).
    """

    kind: str = "http"
    provider: str | None = None
    own: Mapping[str, Mapping[str, int]] = {}


class PriceBook:
    """Every price that is known, by service and model."""

    def __init__(self, services: Mapping[str, PriceSource]) -> None:
        self._sources = dict(services)
        self._own = {
            service: {model: own_price(model, entry) for model, entry in source.own.items()}
            for service, source in services.items()
        }
        self._list = PriceList()
        self._found: dict[tuple[str, str, str | None], ListedPrice | Price | None] = {}
        self._windows: dict[tuple[str, str], int | None] = {}

    def price(self, service: str, model: str | None, at_us: int, *, tier: str | None = None) -> Price | None:
        """Return the price of *model* at *at_us* (epoch microseconds); None: unpriced.

        *tier* is the service tier that the provider is asked for or says it used (``flex``,
        ``priority``, ``fast``, ``batch``); a tier without prices of its own has the standard ones.
        """
        fallback = self._own.get(service, {}).get(ANY_MODEL)
        if model is None:
            return fallback
        key = (service, model, tier)
        try:
            found = self._found[key]
        except KeyError:
            if len(self._found) >= _KEPT:
                self._found.clear()
            found = self._found[key] = self._resolve(service, model, tier)
        if isinstance(found, ListedPrice):
            found = found.at(at_us)
        return fallback if found is None else found

    def explain(self, service: str, model: str | None, at_us: int) -> PriceFacts:
        """Return all that is known of the price of *model* at *at_us*, in the order in which *price* looks."""
        own = self._sources[service].own if service in self._sources else {}
        if model is not None and model not in own:
            provider = self._provider(service)
            listed = None if provider is None else self._list.find(provider, model)
            facts = None if listed is None else self._list.facts(listed, at_us, service=service, asked=model)
            if facts is not None:
                return facts
        name = model if model in own else ANY_MODEL
        if name is None or name not in own:
            return PriceFacts(service=service, model=model)
        price = self._own[service][name]
        return PriceFacts(
            service=service, model=model, source="config", version=price.version, entry=name, rates=own_rates(own[name])
        )

    def max_output(self, service: str, model: str | None) -> int | None:
        """Return a bound of the output tokens of one answer: the model's context window; None: unknown.

        The list has no output limits; input and output together never pass the window.
        """
        if model is None:
            return None
        key = (service, model)
        if key not in self._windows:
            if len(self._windows) >= _KEPT:
                self._windows.clear()
            provider = self._provider(service)
            listed = None if provider is None else self._list.find(provider, model)
            self._windows[key] = None if listed is None else listed.model.context_window
        return self._windows[key]

    def cost(self, price: Price, usage: Usage) -> int:
        """Return what *usage* costs in nano-USD; see *cost_of*."""
        return cost_of(price, usage)

    def worst_case(self, price: Price, bound: Usage) -> int:
        """Return the most that a usage within *bound* can cost, in nano-USD; see *worst_case_of*."""
        return worst_case_of(price, bound)

    def _resolve(self, service: str, model: str, tier: str | None) -> ListedPrice | Price | None:
        if own := self._own.get(service, {}).get(model):
            return own
        provider = self._provider(service)
        listed = None if provider is None else self._list.find(provider, model)
        return None if listed is None else ListedPrice(self._list, listed, tier)

    def _provider(self, service: str) -> str | None:
        source = self._sources.get(service)
        if source is None:
            return None
        if source.provider is not None:
            return source.provider
        if source.kind == "http":
            return None
        return service if self._list.knows(service) else source.kind
