"""Bodies of changes: small, of one kind, every key known."""

from __future__ import annotations

from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from switchgear.web.problems import Problem

__all__ = ["read_form", "read_json"]

_MOST: Final = 64 * 1024

Body = TypeVar("Body", bound=msgspec.Struct)


async def read_json(request: Request, kind: type[Body], *, most: int = _MOST) -> Body:
    """Return the request's JSON, of at most *most* bytes, as *kind*, whose struct forbids unknown fields.

    Raises:
        Problem: 413, 415, or 400 that says which field is wrong.
    """
    if _type(request) != "application/json":
        raise Problem(415, "Send application/json.")
    try:
        return msgspec.json.decode(await _bytes(request, most), type=kind)
    except msgspec.DecodeError as error:
        valid = list(kind.__struct_fields__)
        raise Problem(400, f"The body is not valid: {error}. Valid keys: {', '.join(valid)}.", valid=valid) from None


async def read_form(request: Request, *names: str, verbatim: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the fields of a form, each of *names*; what was not filled in is ''.

    Blanks around a value are taken off, but not of *verbatim*.

    Raises:
        Problem: 413, 415, or 400 for a field that is not in *names* or is given twice.
    """
    if _type(request) != "application/x-www-form-urlencoded":
        raise Problem(415, "Send application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl((await _bytes(request)).decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise Problem(400, "The form is not readable.") from None
    found = dict(pairs)
    if len(found) != len(pairs) or not found.keys() <= set(names):
        raise Problem(400, f"The form has other fields than {', '.join(names)}.", valid=list(names))
    return {name: found.get(name, "") if name in verbatim else found.get(name, "").strip() for name in names}


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _bytes(request: Request, most: int = _MOST) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > most:
            raise Problem(413, f"A body here has at most {most:,} bytes.")
        pieces.append(piece)
    return b"".join(pieces)
