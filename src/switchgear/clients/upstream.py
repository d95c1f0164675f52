"""What stands at the far side of a governed transport."""

from __future__ import annotations

import httpx2

__all__ = ["Upstream"]


class Upstream(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Sends requests both ways, sync and async; ``switchgear.testing.FakeProvider`` is one."""
