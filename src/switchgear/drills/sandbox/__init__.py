"""A provider on loopback, shaped as OpenAI and Anthropic, with exact usage and faults on demand.

::

    with Sandbox() as sandbox:
        client = OpenAI(api_key="any", base_url=f"{sandbox.url}/v1")
        sandbox.fault("status=503;retry_after=2", times=3, path="/v1/chat/completions")
        ...
        assert sandbox.stats().by_status == {503: 3, 200: 1}

Endpoints: ``/v1/chat/completions``, ``/v1/responses``, ``/v1/embeddings``, ``/v1/models``, ``/v1/messages``,
``/v1/messages/count_tokens``; any other path is a plain service that answers ``{"ok": true, "pages": 1}``
(``?pages=N``), ``/missing`` a 404. The token rule stands in *generation*, the notation of faults at *Fault*,
the sandbox's own paths in *controls*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.drills.sandbox.counts import ReceivedRequest, Stats
from switchgear.drills.sandbox.faults import Fault

if TYPE_CHECKING:
    from switchgear.drills.sandbox.server import Sandbox

__all__ = ["Fault", "ReceivedRequest", "Sandbox", "Stats"]


def __getattr__(name: str) -> object:
    # What listens needs the extra `server`; what only answers (switchgear.testing) does not.
    if name == "Sandbox":
        from switchgear.drills.sandbox.server import Sandbox

        return Sandbox
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
