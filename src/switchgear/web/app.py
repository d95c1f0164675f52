"""The control app: JSON API, pages, partials, static files. The gateway's data path is not in it."""

from __future__ import annotations

from fastapi import FastAPI

from switchgear.web.api import install_api
from switchgear.web.assets import STATIC_DIR, HashedFiles
from switchgear.web.auth.door import Door
from switchgear.web.deps import WebDeps
from switchgear.web.origin import SameOrigin
from switchgear.web.pages import install_pages, install_sign_in
from switchgear.web.problems import install_problems
from switchgear.web.render import Pages
from switchgear.web.security import SecurityHeaders
from switchgear.web.theme import ThemeSwitch

__all__ = ["create_app"]


def create_app(deps: WebDeps, *, pages: bool = True) -> FastAPI:
    """Return the app, *pages* False: without those for people.

    What it changes it asks of ``deps.commands`` and ``deps.reload``; it has no lifespan and starts nothing.
    """
    app = FastAPI(
        title="Switchgear",
        version=deps.version,
        description="Health, metrics, calls, budgets, breakers and limits of the gate.",
        docs_url=None,
        redoc_url=None,
    )
    rendered = Pages(deps)
    answer = install_problems(app, rendered.error)
    install_api(app, deps)
    install_sign_in(app, deps, rendered)
    if pages:
        install_pages(app, deps, rendered)
    app.mount("/static", HashedFiles(directory=STATIC_DIR), name="static")
    if deps.sign_in is not None:
        app.add_middleware(Door, sign_in=deps.sign_in, answer=answer)
    app.add_middleware(SameOrigin)
    app.add_middleware(ThemeSwitch)
    app.add_middleware(SecurityHeaders)
    return app
