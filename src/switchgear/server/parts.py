"""What a server is made of, whichever half of it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchgear.clients.governor import Governor
    from switchgear.config.load import Sourced
    from switchgear.config.model import Config
    from switchgear.events import ConfigChanged
    from switchgear.gateway.asgi import ASGIApp

__all__ = ["DataPath", "Origin", "Parts", "Side"]

Side = Literal["gateway", "dashboard"]
"""One half of a server."""

DataPath = Literal["hot", "plain"]
"""How requests for services are served: by the gateway's own protocol, or as an ASGI app, the slower reference."""


class Origin(NamedTuple):
    """Where a configuration is from.

    Attributes:
        current: it, with where each value comes from.
        read: returns the same as it is now; raises ConfigError.
        told: called when it has been read again because somebody asked this process over its API.
    """

    current: Sourced
    read: Callable[[], Sourced]
    told: Callable[[], None] = lambda: None


class Parts(NamedTuple):
    """What a server serves.

    Attributes:
        governor: the gate; None: there is none.
        front: returns the app, given what is to be done when it begins and ends.
        admin: the app of dashboard and API where they have an address of their own; None: they have none.
        config: returns the configuration in force.
        reload: has it read again; None: it can't be.
        tick: to be called once a second or so.
        http: what uvicorn takes for its protocol.
        aclose: lets go of what the running loop holds.
        close: lets go of everything else; the second time does nothing.
    """

    governor: Governor | None
    front: Callable[[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]], ASGIApp]
    admin: ASGIApp | None
    config: Callable[[], Config]
    reload: Callable[[str], ConfigChanged | None] | None
    tick: Callable[[], Awaitable[None]]
    http: Any
    aclose: Callable[[], Awaitable[None]]
    close: Callable[[], None]
