"""``/api/alerts``: what fires, who was told, silences and acknowledgements."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from switchgear.alerts.alert import AlertState
from switchgear.alerts.views import (
    AlertBoard,
    AlertItem,
    AlertRuleItem,
    ChannelItem,
    DeadItem,
    DeliveryItem,
    SilenceItem,
    board_of,
)
from switchgear.web.alerting import acknowledge, desk_of, send_test, silence, unsilence
from switchgear.web.auth.door import actor
from switchgear.web.bodies import read_json
from switchgear.web.deps import WebDeps
from switchgear.web.queries import NoQuery, read_query
from switchgear.web.respond import answer, documented, request_body

__all__ = ["BODIES", "add_routes"]


class AlertQuery(NoQuery):
    """Of ``/api/alerts``."""

    state: Annotated[AlertState | None, Field(description="only those in this state")] = None


class NewSilence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A silence that is asked for: *duration* such as ``2h``, *matchers* such as ``{"service": "openai"}``."""

    matchers: dict[str, str]
    duration: str
    reason: str
    by: str = "api"


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That somebody knows of the alert *key*, so that nobody is told of it again."""

    key: str
    note: str = ""
    by: str = "api"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for is done."""

    done: str


BODIES: Final = (
    AlertBoard,
    AlertItem,
    AlertRuleItem,
    SilenceItem,
    ChannelItem,
    DeadItem,
    DeliveryItem,
    NewSilence,
    Acknowledgement,
    Done,
)


def add_routes(router: APIRouter, deps: WebDeps) -> None:
    """Add the routes."""

    @router.get("/api/alerts", summary="Alerts, rules, silences, channels", responses=documented(AlertBoard, 400, 503))
    def alerts(request: Request) -> Response:
        query = read_query(request, AlertQuery)
        board = board_of(desk_of(deps))
        if query.state is not None:
            board = msgspec.structs.replace(board, items=board.in_state(query.state))
        return answer(board)

    @router.post(
        "/api/alerts/silences",
        summary="Tell nobody for a time",
        responses=documented(SilenceItem, 400, 403, 413, 415, 503),
        openapi_extra=request_body(NewSilence),
    )
    async def add_silence(request: Request) -> Response:
        body = await read_json(request, NewSilence)
        return answer(
            await run_in_threadpool(
                silence, deps, body.matchers, duration=body.duration, by=actor(request, body.by), reason=body.reason
            )
        )

    @router.delete(
        "/api/alerts/silences/{silence_id}",
        summary="Take a silence back",
        responses=documented(SilenceItem, 403, 404, 503),
    )
    def end_silence(request: Request, silence_id: str) -> Response:
        return answer(unsilence(deps, silence_id, by=actor(request, "api")))

    @router.post(
        "/api/alerts/ack",
        summary="Somebody knows of it",
        responses=documented(Done, 400, 403, 404, 413, 415, 503),
        openapi_extra=request_body(Acknowledgement),
    )
    async def ack(request: Request) -> Response:
        body = await read_json(request, Acknowledgement)
        await run_in_threadpool(acknowledge, deps, body.key, by=actor(request, body.by), note=body.note)
        return answer(Done(done=f"{body.key} is acknowledged"))

    @router.post(
        "/api/alerts/channels/{name}/test",
        summary="Send a test message",
        responses=documented(Done, 403, 404, 503),
    )
    def test(name: str) -> Response:
        send_test(deps, name)
        return answer(Done(done=f"a test message was sent to {name}"))
