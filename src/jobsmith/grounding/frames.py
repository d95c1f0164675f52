"""Sentences of a letter that claim nothing of its writer's past: what it is for, and that its writer would talk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from jobsmith.grounding.tokens import normal, tokens_of

if TYPE_CHECKING:
    from jobsmith.grounding.evidence import Evidence

__all__ = ["addresses_reader", "is_frame", "is_neutral"]

_C: Final = r"COMPANY"
_KIND: Final = r"(?:position|role|post|job|vacancy)"
_ROLE: Final = rf"(?:(?:the |your )?(?:{_KIND} )?(?:of |as )?(?:an? |the )?ROLE(?: {_KIND})?|(?:the|your) {_KIND})"
_AT: Final = rf"(?: (?:at|with) {_C})?"
_WISH: Final = r"(?:am |was )?(?:writing to |would like to |wish to |want to |hereby )?(?:apply|applying)"
_HOPE: Final = r"(?:would welcome|would be glad of|look forward to) (?:the |an )?(?:opportunity|chance|conversation)"
_GLAD: Final = r"(?:would be )?(?:glad|happy|pleased) to (?:meet|talk to|speak with|hear from)"
_TALK: Final = rf"to (?:discuss|talk about) (?:{_ROLE}{_AT}|this|it)"
_READ: Final = r"(?:considering my application|your time|your consideration|reading my application)"
_FRAMES: Final = tuple(
    re.compile(rf"{pattern}[.,]?", re.IGNORECASE)
    for pattern in (
        rf"(?:with this letter,? )?i {_WISH} (?:for|to) {_ROLE}{_AT}",
        rf"i am (?:very )?interested in (?:{_ROLE}{_AT}|{_C}|joining {_C})",
        rf"{_ROLE}{_AT} interests me",
        rf"thank you for {_READ}(?: (?:for|to) {_ROLE}{_AT}| at {_C})?",
        rf"i {_HOPE}(?: {_TALK})?(?: with {_C})?",
        rf"i {_GLAD} (?:you|{_C}|the team at {_C})",
        rf"please find my (?:cv|resume|application) (?:attached|enclosed)(?: for {_ROLE}{_AT})?",
        rf"(?:re|application)(?: for)?:? {_ROLE}{_AT}",
        rf"(?:dear|to) (?:hiring (?:manager|team)|sir or madam|{_C}|(?:the )?{_C} (?:hiring )?team)",
        r"(?:yours )?(?:sincerely|faithfully|kind regards|best regards|with kind regards)",
    )
)
_FIRST_PERSON: Final = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our", "ours"})
_SOMEBODY: Final = frozenset({"applicant", "candidate", "he", "she", "his", "her", "they", "who"})
_STARTS: Final = re.compile(
    r"(?:you|your|the (?:role|position|post|job|posting|team|company)|COMPANY)\b", re.IGNORECASE
)


def is_frame(sentence: str, evidence: Evidence) -> bool:
    """Return whether *sentence* is one that every letter may have, with the posting's company and role in it."""
    return any(frame.fullmatch(_with_places(sentence, evidence)) for frame in _FRAMES)


def is_neutral(sentence: str) -> bool:
    """Return whether *sentence* has words only that claim nothing."""
    return all(token.neutral for token in tokens_of(sentence))


def addresses_reader(sentence: str, evidence: Evidence) -> bool:
    """Return whether *sentence* speaks of the reader's side, and not at all of the writer's."""
    words = {token.text.casefold() for token in tokens_of(sentence)}
    if words & (_FIRST_PERSON | _SOMEBODY):
        return False
    return _STARTS.match(_with_places(sentence, evidence)) is not None


def _with_places(sentence: str, evidence: Evidence) -> str:
    text = normal(sentence)
    for name, place in ((evidence.role, "ROLE"), (evidence.company, "COMPANY")):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", place, text, flags=re.IGNORECASE)
    return text
