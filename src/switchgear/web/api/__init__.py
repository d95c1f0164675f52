"""The JSON API, one file a noun. Every route is a plain ``def``: it runs beside the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from switchgear.web.api import (
    alerts,
    applications,
    breakers,
    budgets,
    calls,
    config,
    costs,
    events,
    explain,
    forecast,
    health,
    keys,
    limits,
    metrics,
    probes,
    profile,
    runs,
    services,
    usage,
)
from switchgear.web.respond import describe

if TYPE_CHECKING:
    from fastapi import FastAPI

    from switchgear.web.deps import WebDeps

__all__ = ["install_api"]

_NOUNS = (
    health,
    metrics,
    calls,
    budgets,
    breakers,
    limits,
    services,
    usage,
    costs,
    forecast,
    explain,
    events,
    keys,
    alerts,
    applications,
    config,
    probes,
    profile,
    runs,
)


def install_api(app: FastAPI, deps: WebDeps) -> None:
    """Add every route of the API, and its schemas to the OpenAPI document."""
    router = APIRouter()
    for noun in _NOUNS:
        noun.add_routes(router, deps)
    app.include_router(router)
    describe(app, tuple(body for noun in _NOUNS for body in noun.BODIES), signs_in=deps.sign_in is not None)
