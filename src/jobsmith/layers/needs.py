"""Layer *needs*: what hurts there, and by what success is measured, with the posting's own words as proof."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from jobsmith.grounding.tokens import tokens_of
from jobsmith.nouns import Needs, Quoted
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from jobsmith.asking import Asker
    from jobsmith.nouns import Order, PostingFacts
    from jobsmith.profiles import Profile

__all__ = ["NeedsAnswer", "needs_by_words", "read_needs"]

_MOST: Final = 4
_SENTENCES: Final = 40
_SYSTEM: Final = "You read job postings closely. Answer in JSON."
_NUMBERED: Final = re.compile(r"^\s*\d+[.)]\s*")
_FEWEST_WORDS: Final = 4
_TARGET: Final = re.compile(
    r"\b(?:fast|faster|fewer|less|late|slow|too|within|reduce|improve|raise|lower|halve|below|above|deadline|goal|takes?|"
    r"fallen|burns?|errors?|missing|lacks?|bring (?:it|this|them))\b",
    re.IGNORECASE,
)


class _Reading(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sentence: Annotated[int, Field(ge=1)]
    text: Annotated[str, Field(max_length=120)]


class NeedsAnswer(BaseModel):
    """What a model is asked for: sentences by their number, so that every quote is one."""

    model_config = ConfigDict(extra="forbid")

    pain_points: Annotated[list[_Reading], Field(max_length=_MOST)]
    measures: Annotated[list[_Reading], Field(max_length=_MOST)]


async def read_needs(order: Order, facts: PostingFacts, *, asker: Asker, profile: Profile) -> Needs:
    """Return pain points and success measures. Every quote is a sentence of the posting; readings without one go."""
    if not profile.reads_needs:
        return needs_by_words(order, facts)
    sentences = _sentences(order.posting.text[: profile.posting_characters])
    listed = "\n".join(f"{at}. {sentence}" for at, sentence in enumerate(sentences, 1))
    answer = await asker.ask(
        "needs",
        system=_SYSTEM,
        question=(
            f"Which sentences tell what is hard or missing there (pain points), and which tell how success would be "
            f"measured? Give each one's number, and say in a few words what it means.\n\n{listed}"
        ),
        shape=NeedsAnswer,
        max_tokens=profile.output_tokens,
    )
    found = Needs(pain_points=_quoted(answer.pain_points, sentences), measures=_quoted(answer.measures, sentences))
    return found if found.pain_points or found.measures else needs_by_words(order, facts)


def needs_by_words(order: Order, facts: PostingFacts) -> Needs:
    """Return the sentences that speak of numbers and change: no reading, the posting itself."""
    named = {token.key for token in tokens_of(f"{facts.company} {facts.role}")}
    found = _sentences(order.posting.text)
    telling = [one for one in found if _TARGET.search(one) and {token.key for token in tokens_of(one)} - named]
    return Needs(measures=tuple(Quoted(text=one, quote=one) for one in telling[:_MOST]))


def _sentences(text: str) -> list[str]:
    found = (one.lstrip("-*\u2022# ") for one in sentences_of(text))
    return [one for one in found if len(one.split()) >= _FEWEST_WORDS and one.endswith((".", "!", "?"))][:_SENTENCES]


def _quoted(readings: list[_Reading], sentences: list[str]) -> tuple[Quoted, ...]:
    by_number = {one.sentence: _NUMBERED.sub("", one.text) for one in readings if one.sentence <= len(sentences)}
    return tuple(Quoted(text=text or sentences[at - 1], quote=sentences[at - 1]) for at, text in by_number.items())
