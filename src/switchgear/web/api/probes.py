"""``/healthz`` and ``/readyz``: for whoever starts and restarts the process.

Neither asks an upstream: an outage of a provider never restarts the gate.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.respond import answer, documented

__all__ = ["BODIES", "add_routes"]


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Calls can be admitted and recorded."""

    status: Literal["ready"] = "ready"


BODIES: Final = (Alive, Ready)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add both routes."""

    @router.get("/healthz", summary="The process is alive", responses=documented(Alive))
    def healthz() -> Response:
        return answer(Alive())

    @router.get("/readyz", summary="Calls can be recorded", responses=documented(Ready, 503))
    def readyz() -> Response:
        if deps.ending():
            raise Problem(503, "The server is about to end: calls in flight go on, new ones go elsewhere.")
        problem = deps.collector.ledger_problem()
        if problem is not None:
            detail = f"The ledger fails: {problem}."
            raise Problem(503, detail)
        return answer(Ready())
