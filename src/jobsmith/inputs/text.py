"""From bytes to text that can be trusted to be text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from jobsmith.errors import InputError

__all__ = ["LARGEST_BYTES", "clean", "decoded"]

LARGEST_BYTES: Final = 2_000_000
"""A document has at most so many."""

_MAGIC: Final = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive, such as a Word file,",
    b"\xd0\xcf\x11\xe0": "an old Word file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"\x7fELF": "a program",
}
_BOMS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_BLANKS: Final = re.compile(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_KEPT: Final = frozenset("\n\u200c\u200d")  # joiners change what letters of some scripts look like
_CONTROL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BINARY_SHARE: Final = 0.02
_PICTURES: Final = 0x2300  # symbols from here on are pictures: emoji, telephones, envelopes


def decoded(raw: bytes, *, what: str) -> str:
    """Return *raw* as clean text; *what* names it in errors.

    Raises:
        InputError: it is empty, too large, or no text.
    """
    if len(raw) > LARGEST_BYTES:
        msg = f"{what} has {len(raw):,} bytes; at most {LARGEST_BYTES:,} are read"
        raise InputError(msg)
    for magic, kind in _MAGIC.items():
        if raw.startswith(magic):
            msg = f"{what} is {kind} and no text; save it as plain text or Markdown"
            raise InputError(msg)
    try:
        text = raw.decode(next((name for bom, name in _BOMS if raw.startswith(bom)), "utf-8-sig"))
    except UnicodeDecodeError:
        msg = f"{what} is no UTF-8 text; save it as plain text in UTF-8"
        raise InputError(msg) from None
    strange = sum(1 for char in text if unicodedata.category(char) == "Cc" and char not in "\t\n\r\f\v")
    if strange > len(text) * _BINARY_SHARE or "\0" in text:
        msg = f"{what} holds control characters where text should be; it looks like a binary file"
        raise InputError(msg)
    found = clean(text)
    if not found:
        msg = f"{what} is empty"
        raise InputError(msg)
    return found


def clean(text: str) -> str:
    """Return *text* composed (NFC), with Unix line ends and single blanks, without control characters and pictures."""
    text = re.sub(r"\r\n?|[\f\v\u0085\u2028\u2029]", "\n", unicodedata.normalize("NFC", text)).replace("\t", " ")
    text = _BLANKS.sub(" ", "".join(char for char in text if _is_text(char)))
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _is_text(char: str) -> bool:
    category = unicodedata.category(char)
    if category == "So":
        return ord(char) < _PICTURES
    return char in _KEPT or category not in _CONTROL
