"""What a check says."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Finding", "Level"]

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """*subject* in a word, what was found in a sentence, and what to do about it."""

    level: Level
    subject: str
    text: str
    remedy: str | None = None
