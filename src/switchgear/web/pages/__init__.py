"""The pages, one file a noun, and the partials that their pollers ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from switchgear.web.pages import (
    alerts,
    applications,
    budget,
    budgets,
    calls,
    live,
    operator,
    overview,
    profile,
    runs,
    service,
    services,
    sign_in,
    traces,
    usage,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from switchgear.web.deps import WebDeps
    from switchgear.web.render import Pages

__all__ = ["install_pages", "install_sign_in"]


def install_pages(app: FastAPI, deps: WebDeps, pages: Pages) -> None:
    """Add every page; they are for people, so they are not in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    for noun in (
        overview,
        services,
        service,
        budgets,
        budget,
        usage,
        calls,
        live,
        alerts,
        traces,
        profile,
        runs,
        applications,
        operator,
    ):
        noun.add_routes(router, deps, pages)
    app.include_router(router)


def install_sign_in(app: FastAPI, deps: WebDeps, pages: Pages) -> None:
    """Add the way in, which a server without other pages has as well."""
    router = APIRouter(include_in_schema=False)
    sign_in.add_routes(router, deps, pages)
    app.include_router(router)
