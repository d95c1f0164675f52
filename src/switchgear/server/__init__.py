"""The composition root: one configuration becomes one running server. Nothing else wires."""

from __future__ import annotations

from switchgear.server.running import Origin, Server
from switchgear.server.serving import serve

__all__ = ["Origin", "Server", "serve"]
