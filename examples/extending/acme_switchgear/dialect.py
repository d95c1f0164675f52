"""Acme's wire format: ``{"engine", "prompt", "limit"}`` in, ``{"text", "meter": {"in", "out"}}`` out.

`kind = "acme"` in a service. A dialect is pure: bytes in, facts out. It must never raise on what it reads, and what it
can't read is unknown, never zero.
"""

from __future__ import annotations

import json
from typing import Any

from switchgear.calls import Usage
from switchgear.wire.base import Headers, Reader, RequestFacts
from switchgear.wire.bodies import BodyReader, Said
from switchgear.wire.encodings import decoder_for
from switchgear.wire.generic import GenericDialect
from switchgear.wire.readers import header


class AcmeDialect(GenericDialect):
    """Refusals, keys and time-outs as any HTTP API; what a request asks for and an answer used, as Acme says it."""

    name = "acme"

    def facts(self, *, method: str, path: str, content_type: str | None, body: bytes) -> RequestFacts:
        """Return the model, and what the answer can use at most: that is what a budget reserves."""
        said = read(body)
        limit = said.get("limit")
        return RequestFacts(
            endpoint=path.partition("?")[0],
            model=said.get("engine"),
            # No token is shorter than a byte, so the bytes of the prompt are a bound that holds.
            bound=Usage(input_tokens=len(body), output_tokens=limit if isinstance(limit, int) else 0),
            max_output_given=isinstance(limit, int),
            is_json=bool(said),
        )

    def reader(self, facts: RequestFacts, *, status: int, headers: Headers) -> Reader:
        """Return what reads the answer's body once it is whole."""
        return BodyReader(facts, status, decoder_for(header(headers, "content-encoding")), used)


def used(body: bytes) -> Said | None:
    """Return what the answer says that it used; None: it is not Acme's."""
    said = read(body)
    meter = said.get("meter")
    if not isinstance(meter, dict) or not all(isinstance(meter.get(way), int) for way in ("in", "out")):
        return None
    return Said(usage=Usage(input_tokens=meter["in"], output_tokens=meter["out"]), model=said.get("engine"))


def read(body: bytes) -> dict[str, Any]:
    """Return the object in *body*; an empty one if it is none."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
