"""Exact token counts of texts for OpenAI's models, where the extra ``tokens`` is installed.

Nothing is downloaded: quicktok-v1 brings the vocabularies. Loading one takes about 0.5 s and 65 MB,
once a process, when the first request of such a model is read. A server that gives a model of its own
the name of one of OpenAI's is counted as if it were that.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["counter_for", "encoding_of"]

_ENCODINGS: Final = (
    ("o200k_base", re.compile(r"gpt-4o|gpt-4\.[15]|gpt-5|gpt-oss|chatgpt-4o|o[134](?:-|$)")),
    ("cl100k_base", re.compile(r"gpt-4(?:-|$)|gpt-3\.5-turbo|gpt-35-turbo|text-embedding-(?:3|ada-002)")),
)


@functools.lru_cache(maxsize=1024)
def encoding_of(model: str) -> str | None:
    """Return the name of the encoding of *model*, also with a router's or fine-tuning prefix; None: not known."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    return next((encoding for encoding, pattern in _ENCODINGS if pattern.match(name)), None)


def counter_for(model: str | None) -> Callable[[str], int] | None:
    """Return a function that counts the tokens of a text for *model*; None: that can't be done."""
    encoding = None if model is None else encoding_of(model)
    return None if encoding is None else _counter(encoding)


@functools.cache
def _counter(encoding: str) -> Callable[[str], int] | None:
    try:
        quicktok = importlib.import_module("quicktok")
    except ImportError:
        return None
    count: Callable[[str], int] = quicktok.get_encoding(encoding).count

    def counted(text: str) -> int:
        try:
            return count(text)
        except TypeError:  # a lone surrogate, which no UTF-8 can hold: one token a byte is a bound of anything
            return len(text.encode("utf-8", "surrogatepass"))

    return counted
