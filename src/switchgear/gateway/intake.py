"""What the head of a request says to the gateway: whether it is taken, and how its body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.gateway.hosts import NOT_OURS
from switchgear.gateway.inbound import Problem
from switchgear.gateway.targets import leads_astray
from switchgear.wire.dialects import dialect_for

if TYPE_CHECKING:
    from switchgear.gateway.bounds import Bounds
    from switchgear.gateway.inbound import Inbound
    from switchgear.gateway.serving import Counter

__all__ = ["Intake", "inspect"]

_COLLECTED: Final = 256 * 1024
"""Bytes up to which a body of any type is read whole, so that it can be sent again."""

_OPAQUE: Final = (
    "multipart/",
    "audio/",
    "image/",
    "video/",
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
)
"""Types of bodies that say nothing about what a call costs."""


class Intake(NamedTuple):
    """*streams*: the body is passed on as it comes; *expects*: the client waits for a ``100 Continue``."""

    has_body: bool
    streams: bool
    expects: bool


def inspect(request: Inbound, version: str, counter: Counter) -> Intake:
    """Read the head of *request*, and set its service, or its problem."""
    host = length = coding = kind = expects = None
    for name, value in request.headers:
        if len(name) not in _LENGTHS:
            continue
        low = name.lower()
        if low == "host":
            host = value if host is None else ""  # a second one is none
        elif low == "content-length":
            length = int(value)
        elif low == "transfer-encoding":
            coding = value
        elif low == "content-type":
            kind = value
        elif low == "expect":
            expects = value.lower()
    has_body = coding is not None or bool(length)
    request.problem = (
        _framing(version, coding, length, counter.bounds) or _place(request, host, counter) or counter.check(request)
    )
    if request.problem is not None:
        return Intake(has_body, streams=False, expects=False)
    streams = has_body and (length is None or length > _COLLECTED) and _is_opaque(request, kind, counter)
    return Intake(has_body, streams, expects == "100-continue" and version == "1.1" and has_body)


_LENGTHS: Final = frozenset(map(len, ("host", "content-length", "transfer-encoding", "content-type", "expect")))


def _framing(version: str, coding: str | None, length: int | None, bounds: Bounds) -> Problem | None:
    """Return what is wrong with how the message is put together; the parser has seen to the rest."""
    if version not in {"1.1", "1.0"}:
        return Problem(505, "HTTP version not supported", "this server speaks HTTP/1.1")
    if coding is not None and (coding.strip().lower() != "chunked" or version == "1.0"):
        return Problem(501, "Not implemented", "the only transfer coding of a request body is chunked")
    if length is not None and length > bounds.body:
        return bounds.long_body
    return None


def _place(request: Inbound, host: str | None, counter: Counter) -> Problem | None:
    """Return what is wrong with where *request* wants to go; set what service it is for if nothing is."""
    target = request.target
    if not target.startswith(b"/"):
        return Problem(400, "Bad request", "the request target is not a path")
    if leads_astray(target):
        return Problem(400, "Bad request", "the request target has dot segments or a fragment")
    if not counter.hosts.include((host or "").encode("latin-1")):
        return Problem(421, "Misdirected request", NOT_OURS)
    path, mark, query = target.decode("ascii").partition("?")
    _, service, *rest = path.split("/", 2)
    request.service = service
    request.rest = f"/{rest[0] if rest else ''}{mark}{query}"
    return None


def _is_opaque(request: Inbound, kind: str | None, counter: Counter) -> bool:
    """Return whether the body of *request* tells nothing that the gate wants to know."""
    if kind is None or not kind.strip().lower().startswith(_OPAQUE):
        return False
    endpoint = request.rest.partition("?")[0]
    dialect = dialect_for(counter.kind_of(request.service), endpoint)
    facts = dialect.facts(method=request.method, path=endpoint, content_type=kind, body=b"")
    return facts.surface == "other"
