"""``/-/prices``: the price list, and what the models that were seen cost by it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.governor.opening import price_book
from switchgear.insight.checks.prices import check_prices
from switchgear.insight.days import day_start
from switchgear.insight.past import PastSums
from switchgear.policies.price_facts import PriceFacts
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]


class SeenModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a service with its calls; *unpriced* of them have no cost."""

    facts: PriceFacts
    calls: int
    unpriced: int

    def rate(self, what: str) -> Decimal | None:
        """Return USD for a million tokens; None: the price says nothing of it."""
        found = (rate for rate in self.facts.rates if rate.what == what and rate.above is None)
        return next((rate.usd for rate in found), None)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""
    past = PastSums(deps.reader, ("service", "model"))

    @router.get("/-/prices")
    def prices(request: Request) -> Response:
        read_query(request, NoQuery)
        models = _seen(deps, past)
        (age,) = check_prices(deps.clock)
        return pages.page(
            request,
            "operator/prices.html",
            health=deps.collector.health(),
            models=models,
            missing=sum(model.facts.source is None for model in models),
            age=age,
        )


def _seen(deps: WebDeps, past: PastSums) -> list[SeenModel]:
    """Return the models on record, those without a price first."""
    book = price_book(deps.config) if deps.gate is None else deps.gate.book
    now = deps.now()
    today = day_start(now, deps.zone)
    sums: dict[tuple[str, str], list[int]] = {}
    for row in (
        *past.read(since=None, today=today, now=now),
        *deps.reader.totals(since=today, by=("service", "model")),
    ):
        service, model = row.group["service"], row.group["model"]
        if service is not None and model is not None:
            counts = sums.setdefault((service, model), [0, 0])
            counts[0] += row.calls
            counts[1] += row.unpriced
    found = [
        SeenModel(facts=book.explain(service, model, now), calls=calls, unpriced=unpriced)
        for (service, model), (calls, unpriced) in sums.items()
    ]
    return sorted(found, key=lambda each: (each.facts.source is not None, each.facts.service, each.facts.model or ""))
