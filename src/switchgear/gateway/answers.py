"""Answers as bytes for a client: head, framing, and the word about what becomes of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from switchgear.gateway.heads import head_bytes, status_line

if TYPE_CHECKING:
    from switchgear.clients.journey import Answer
    from switchgear.gateway.inbound import Inbound
    from switchgear.governor.headers import Headers

__all__ = ["Framing", "begun", "whole"]

Framing = Literal["none", "length", "chunks"]
"""How a body is sent: not at all, as it is (also up to the connection's end), or in chunks."""

_BODILESS: Final = frozenset({204, 304})
_LENGTH: Final = len("content-length")


def begun(request: Inbound, answer: Answer, *, closing: bool) -> tuple[bytes, Framing]:
    """Return the head of *answer* and how its body is sent; *closing*: nothing more is served after it."""
    headers = answer.headers
    framing: Framing = "length"
    if request.method == "HEAD" or answer.status in _BODILESS:
        framing = "none"
    elif not _tell_length(headers):
        if request.old:
            request.keep = False  # HTTP/1.0 knows no chunks: the connection's end is the body's
        else:
            framing = "chunks"
    if not request.keep or closing:
        headers = [*headers, ("connection", "close")]
    if framing == "chunks":
        headers = [*headers, ("transfer-encoding", "chunked")]
    return head_bytes(status_line(answer.status), headers), framing


def whole(request: Inbound, answer: Answer, body: bytes, *, closing: bool) -> bytes:
    """Return *answer* with all of its *body*."""
    head, framing = begun(request, answer, closing=closing)
    if framing == "none":
        return head
    if framing == "length":
        return head + body
    return b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body) if body else head + b"0\r\n\r\n"


def _tell_length(headers: Headers) -> bool:
    for name, _ in headers:  # noqa: SIM110 - any() takes three times as long
        if len(name) == _LENGTH and name.lower() == "content-length":
            return True
    return False
