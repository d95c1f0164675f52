"""Reading a compressed answer beside the bytes that pass: incremental, and safe against bombs."""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["MAX_READ", "Decoder", "decoder_for"]

MAX_READ: Final = 8 << 20
"""Bytes of an answer that are read; beyond it what it says is unknown."""

_WINDOW: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_ZLIB_METHOD: Final = 8


class Decoder:
    """Undoes one content encoding for reading. *lost*: the bytes can't be read, or are too many."""

    def __init__(self, encoding: str) -> None:
        self.lost = False
        self.encoding = encoding
        self._inflater: zlib._Decompress | None = None
        self._room = MAX_READ

    def feed(self, chunk: bytes) -> bytes:
        """Return the plain bytes that *chunk* adds; none any more once *lost*."""
        if self.lost or not chunk:
            return b""
        plain = chunk if self.encoding == "identity" else self._inflate(chunk)
        self._room -= len(plain)
        if self._room < 0:
            self.lost = True
        return b"" if self.lost else plain

    def _inflate(self, chunk: bytes) -> bytes:
        if self._inflater is None:
            # Some servers send "deflate" without the zlib header that RFC 9110 wants.
            raw = self.encoding == "deflate" and chunk[0] & 15 != _ZLIB_METHOD
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS if raw else _WINDOW[self.encoding])
        try:
            return self._inflater.decompress(chunk, self._room + 1)
        except zlib.error:
            self.lost = True
            return b""


def decoder_for(content_encoding: str | None) -> Decoder:
    """Return the decoder for a ``content-encoding`` header; for one that is not known it is *lost* from the start."""
    encoding = (content_encoding or "identity").strip().lower()
    decoder = Decoder(encoding)
    decoder.lost = encoding != "identity" and encoding not in _WINDOW
    return decoder
