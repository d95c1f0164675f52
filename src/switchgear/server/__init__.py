"""The composition root: one configuration becomes one running server. Nothing else wires."""

from __future__ import annotations

from switchgear.server.parts import Origin
from switchgear.server.running import Server
from switchgear.server.serving import serve

__all__ = ["Origin", "Server", "serve"]
