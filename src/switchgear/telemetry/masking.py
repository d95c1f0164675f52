"""Taking secrets out of text that leaves: what looks like a key, a token, a password in an address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MASK", "Masking"]

MASK: Final = "***"

_SECRETS: Final = (
    r"(?<![A-Za-z0-9])(?:sk|pk|rk|sgk|xai|gsk|fc|lsv2|ghp|gho|github_pat|glpat|hf|xox[abprs])[-_][A-Za-z0-9_-]{8,}",
    r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![A-Za-z0-9])",
    r"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{30,}",
    r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
)
_AFTER: Final = (
    r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
    (
        r"(?i)\b((?:x-api-key|api[-_]?key|authorization|password|passwd|secret|access[-_]?token)[\"']?\s*[:=]\s*[\"']?)"
        r"(?!(?:bearer|basic)\s)[^\s\"',;&]{4,}"
    ),
    r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)",
)
"""What stands before a secret stays."""


class Masking:
    """Replaces every secret in a text by ``***``, and whatever the patterns *also* match."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        self._whole: Final = re.compile("|".join(f"(?:{one})" for one in _SECRETS), re.DOTALL)
        self._after: Final = tuple(re.compile(one) for one in _AFTER)
        self._also: Final = tuple(re.compile(one) for one in also)

    def __call__(self, text: str) -> str:
        """Return *text* without secrets."""
        text = self._whole.sub(MASK, text)
        for pattern in self._after:
            text = pattern.sub(rf"\g<1>{MASK}", text)
        for pattern in self._also:
            text = pattern.sub(MASK, text)
        return text
