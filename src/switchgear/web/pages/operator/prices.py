"""``/-/prices``: the price list, and what the models that were seen cost by it."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.governor.opening import price_book
from switchgear.insight.checks.prices import check_prices
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

    @router.get("/-/prices")
    def prices(request: Request) -> Response:
        read_query(request, NoQuery)
        models = _seen(deps)
        (age,) = check_prices(deps.clock)
        return pages.page(
            request,
            "operator/prices.html",
            health=deps.collector.health(),
            models=models,
            missing=sum(model.facts.source is None for model in models),
            age=age,
        )


def _seen(deps: WebDeps) -> list[SeenModel]:
    """Return the models on record, those without a price first."""
    book = price_book(deps.config)
    now = deps.now()
    found = [
        SeenModel(
            facts=book.explain(str(row.group["service"]), row.group["model"], now),
            calls=row.calls,
            unpriced=row.unpriced,
        )
        for row in deps.reader.totals(by=("service", "model"))
        if row.group["model"] is not None
    ]
    return sorted(found, key=lambda each: (each.facts.source is not None, each.facts.service, each.facts.model or ""))
