"""``/-/versions``: what this process is made of."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from switchgear.ledger.migrate import HEAD
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.render import Pages

__all__ = ["add_routes"]

_PACKAGES: Final = (
    "argon2-cffi",
    "fastapi",
    "genai-prices",
    "httpx2",
    "jinja2",
    "msgspec",
    "openai",
    "anthropic",
    "psycopg",
    "pydantic",
    "redis",
    "sqlalchemy",
    "starlette",
    "uvicorn",
)


def add_routes(router: APIRouter, deps: WebDeps, pages: Pages) -> None:
    """Add the page."""
    own = [
        ("Switchgear", deps.version),
        ("Schema of the ledger", HEAD),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("SQLite", sqlite3.sqlite_version),
    ]
    packages = [(name, _version(name)) for name in _PACKAGES]

    @router.get("/-/versions")
    def versions(request: Request) -> Response:
        read_query(request, NoQuery)
        return pages.page(
            request,
            "operator/versions.html",
            health=deps.collector.health(),
            own=own,
            packages=packages,
            started_at=deps.started_at,
            process=deps.process,
        )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
