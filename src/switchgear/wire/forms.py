"""Reading the few short fields of a multipart form, and the sizes of its files, without copying it.

Source: https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

__all__ = ["Form", "read_form"]

_BOUNDARY: Final = re.compile(r'multipart/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;,]{1,70}))', re.IGNORECASE)
_NAME: Final = re.compile(rb'[;\s]name="([^"]{0,200})"', re.IGNORECASE)
_FILE: Final = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
_SHORT: Final = 64 * 1024
_MOST_PARTS: Final = 256
_MOST_HEAD: Final = 4096


class Form(msgspec.Struct):
    """What a form holds.

    Attributes:
        fields: texts by name; of a name that comes twice the last.
        files: bytes of each file.
        text_bytes: bytes of all texts, long ones too.
    """

    fields: dict[str, str] = {}
    files: list[int] = []
    text_bytes: int = 0


def read_form(content_type: str | None, body: bytes) -> Form | None:
    """Return what the form in *body* says; None: it is none, or not one that can be read to its end."""
    found = _BOUNDARY.match(content_type or "")
    if found is None:
        return None
    mark = b"--" + (found[1] or found[2]).encode("latin-1", "replace")
    form = Form()
    at = body.find(mark)
    for _ in range(_MOST_PARTS):
        if at < 0:
            return None
        start = at + len(mark)
        if body.startswith(b"--", start):
            return form
        at = body.find(b"\r\n" + mark, start)
        stop = at
        at = at + 2 if at >= 0 else at
        blank = body.find(b"\r\n\r\n", start, min(start + _MOST_HEAD, max(stop, start)))
        if blank < 0:
            return None
        _add(form, body, head=body[start:blank], start=blank + 4, stop=stop)
    return None


def _add(form: Form, body: bytes, *, head: bytes, start: int, stop: int) -> None:
    size = max(0, stop - start)
    if _FILE.search(head):
        form.files.append(size)
        return
    form.text_bytes += size
    name = _NAME.search(head)
    if name is not None and size <= _SHORT:
        form.fields[name[1].decode("utf-8", "replace")] = body[start:stop].decode("utf-8", "replace")
