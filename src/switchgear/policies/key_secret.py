"""The text of a Switchgear key: how it is made, how a typo is told, what is kept of it.

``sgk_`` + 8 characters that name it + 43 random ones (256 bits) + 6 of a checksum, all of base 62, so
that a double click selects the whole. Only its SHA-256 is kept. A slow hash would buy nothing: it
makes guessing *likely* secrets expensive, and among 2**256 equally likely ones there is nothing to
guess; it would only make every call, and every flood of wrong keys, expensive.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import zlib
from typing import Final, NamedTuple

__all__ = ["ID_LENGTH", "PREFIX", "NewSecret", "digest_of", "is_secret", "make_secret", "shown", "the_id_in"]

PREFIX: Final = "sgk_"

ID_LENGTH: Final = 8
_RANDOM: Final = 43
_CHECK: Final = 6
_LENGTH: Final = len(PREFIX) + ID_LENGTH + _RANDOM + _CHECK
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KNOWN: Final = frozenset(_ALPHABET)


class NewSecret(NamedTuple):
    """A secret that was just made: its *text* is shown once, *id* and *digest* are kept."""

    text: str
    id: str
    digest: str


def make_secret() -> NewSecret:
    """Return a new secret, from the system's random numbers."""
    text = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH + _RANDOM))
    text += _check(text)
    return NewSecret(text, text[len(PREFIX) : len(PREFIX) + ID_LENGTH], digest_of(text))


def the_id_in(text: str) -> str | None:
    """Return the id in *text*; None: no key that was ever made reads so, it has a typo or was cut short."""
    if len(text) != _LENGTH or not text.startswith(PREFIX) or not _KNOWN.issuperset(text[len(PREFIX) :]):
        return None
    if text[-_CHECK:] != _check(text[:-_CHECK]):
        return None
    return text[len(PREFIX) : len(PREFIX) + ID_LENGTH]


def digest_of(text: str) -> str:
    """Return what is kept of *text*: its SHA-256, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_secret(text: str, digest: str) -> bool:
    """Return whether *text* is the secret of *digest*, in a time that does not tell how nearly."""
    return hmac.compare_digest(digest_of(text), digest)


def shown(id: str) -> str:  # noqa: A002 - the id of a key
    """Return what lists show of a secret: enough to know it by, nothing to use it with."""
    return f"{PREFIX}{id}…"


def _check(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
