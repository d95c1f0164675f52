"""The gateway and the dashboard at addresses of their own: what each says to a request that is for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.gateway.problems import send_problem

if TYPE_CHECKING:
    from switchgear.gateway.asgi import ASGIApp, Receive, Scope, Send

__all__ = ["no_gateway", "probes_alone"]

_PROBES: Final = frozenset({"/healthz", "/readyz"})


async def no_gateway(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer a call where pages are."""
    detail = f"{scope['path']}: the dashboard only is here; the gateway is at another address"
    await send_problem(send, 404, "No gateway", detail)


def probes_alone(control: ASGIApp) -> ASGIApp:
    """Return *control* as far as it is for whoever starts and restarts processes: no page, no API."""

    async def probes(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _PROBES:
            await control(scope, receive, send)
            return
        detail = "the gateway is here; the dashboard and the API are at another address (server.admin_host)"
        await send_problem(send, 404, "No dashboard", detail)

    return probes
