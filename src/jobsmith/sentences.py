"""Cutting prose into sentences."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["sentences_of"]

_END: Final = re.compile(
    r"(?<=[.!?…])[\"'\u201d\u2019)\]]*\s+(?=[\"'\u201c\u2018(\[]*[A-Z0-9ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒŚŠŽŻŁÙÚÛÜÝÞ])"
)
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|dr|mr|mrs|ms|prof|st|sr|jr|inc|ltd|co|corp|dept|ph\.d|[a-z])|\b[A-Z])\.$",
    re.IGNORECASE,
)


def sentences_of(text: str) -> tuple[str, ...]:
    """Return the sentences of *text*; a line break ends one too."""
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for end in _END.finditer(line):
            before = line[start : end.start()]
            # "Inc." may end a sentence; to cut too seldom is the strict side, since all of it is then checked at once.
            if _ABBREVIATION.search(before):
                continue
            found.append(line[start : end.end()].strip())
            start = end.end()
        found.append(line[start:].strip())
    return tuple(sentence for sentence in found if sentence)
