"""Sessions without a store: a name and an end, signed with a key that comes from the users file.

Every worker that reads the same file takes the same sessions, and any change of the file ends them all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

__all__ = ["LASTS", "make_session", "read_session", "session_key"]

LASTS: Final = 12 * 3600
"""Seconds after which one has to sign in again."""

_PURPOSE: Final = b"switchgear session v1"
_LONGEST: Final = 512


def session_key(users_file: bytes) -> bytes:
    """Return the key that goes with these bytes: the salts and digests in them are the secret."""
    return hmac.digest(_PURPOSE, users_file, "sha256")  # as HKDF extracts: RFC 5869, section 2.2


def make_session(name: str, until: int, key: bytes) -> str:
    """Return the token of *name* that holds before *until*, in epoch seconds."""
    body = f"{until}.{name}".encode()
    return f"{_text(body)}.{_text(_signature(body, key))}"


def read_session(token: str, now: int, key: bytes) -> str | None:
    """Return whose session *token* is; None: it is no token of ours, or it has ended by epoch second *now*."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    first, _, second = token.partition(".")
    try:
        body, signature = _bytes(first), _bytes(second)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(signature, _signature(body, key)):
        return None
    until, _, name = body.decode().partition(".")
    return name if now < int(until) else None


def _signature(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(data) != text:
        msg = "written in another way than ours"
        raise ValueError(msg)
    return data
