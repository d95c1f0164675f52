"""The pages, one file a noun, and the partials that their pollers ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from switchgear.web.pages import budgets, calls, overview, services, sign_in, usage

if TYPE_CHECKING:
    from fastapi import FastAPI

    from switchgear.web.deps import WebDeps
    from switchgear.web.render import Pages

__all__ = ["install_pages"]


def install_pages(app: FastAPI, deps: WebDeps, pages: Pages) -> None:
    """Add every page; they are for people, so they are not in the OpenAPI document."""
    router = APIRouter(include_in_schema=False)
    for noun in (overview, services, budgets, usage, calls, sign_in):
        noun.add_routes(router, deps, pages)
    app.include_router(router)
