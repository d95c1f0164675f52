"""A posting, checked before anything is spent on it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from jobsmith.errors import InputError
from jobsmith.inputs.html import looks_like_html, text_of_html
from jobsmith.inputs.language import require_english
from jobsmith.inputs.text import decoded

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "FEWEST_WORDS",
    "MOST_CHARACTERS",
    "Posting",
    "is_url",
    "posting_from_bytes",
    "posting_from_file",
    "posting_of",
]

FEWEST_WORDS: Final = 20
"""Less is no posting."""

MOST_CHARACTERS: Final = 40_000
"""More is several postings, or a whole site; a long one has 10,000."""


class Posting(BaseModel):
    """The text of a posting, and where it is from: a file's name, a URL, ``stdin`` or ``text``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    origin: str

    @property
    def digest(self) -> str:
        """A short name for this text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def is_url(given: str) -> bool:
    """Return whether *given* is meant to be fetched."""
    return given.lower().startswith(("http://", "https://"))


def posting_of(text: str, *, origin: str = "text") -> Posting:
    """Return *text* as a posting.

    Raises:
        InputError: it is empty, too short or long, or not in English.
    """
    return posting_from_bytes(text.encode("utf-8", "replace"), origin=origin)


def posting_from_file(path: Path) -> Posting:
    """Return the posting in the file at *path*; raises as *posting_of*, and if the file can't be read."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        msg = f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from None
    return posting_from_bytes(raw, origin=path.name)


def posting_from_bytes(raw: bytes, *, origin: str, html: bool | None = None) -> Posting:
    """Return what *raw* says; *html* None: looks whether it is a page. Raises as *posting_of*."""
    what = f"the posting ({origin})"
    text = decoded(raw, what=what)
    if html or (html is None and looks_like_html(text)):
        text = text_of_html(text)
    words = len(text.split())
    if words < FEWEST_WORDS:
        msg = f"{what} has {words} words; a posting has {FEWEST_WORDS} at least"
        raise InputError(msg)
    if len(text) > MOST_CHARACTERS:
        msg = f"{what} has {len(text):,} characters; at most {MOST_CHARACTERS:,} are read, so hand in the posting alone"
        raise InputError(msg)
    require_english(text, what=what)
    return Posting(text=text, origin=origin)
