"""Layer *posting*: from the text of a posting to what it asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobsmith.grounding.evidence import Evidence
from jobsmith.grounding.tokens import tokens_of
from jobsmith.nouns import PostingFacts
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from jobsmith.asking import Asker
    from jobsmith.nouns import Order
    from jobsmith.profiles import Profile

__all__ = ["FactsAnswer", "facts_by_words", "read_posting"]

_MUST: Final = re.compile(
    r"\b(?:must|need(?:ed)?|require[ds]?|requirements?|bring|have|know|experience|own|lead|build|skills?)\b",
    re.IGNORECASE,
)
_PITCH: Final = re.compile(r"\b(?:we|is|are) (?:are )?look(?:s|ing)? for\b", re.IGNORECASE)
_MOST: Final = 6
_SYSTEM: Final = "You read job postings. Use the posting's own words. Answer in JSON."


class FactsAnswer(BaseModel):
    """What a model is asked for."""

    model_config = ConfigDict(extra="forbid")

    company: Annotated[str, Field(max_length=80)]
    role: Annotated[str, Field(max_length=80)]
    seniority: Literal["junior", "mid", "senior", "lead", "not stated"]
    must_haves: Annotated[list[Annotated[str, Field(max_length=80)]], Field(min_length=1, max_length=_MOST)]
    keywords: Annotated[list[Annotated[str, Field(max_length=24)]], Field(max_length=8)]


async def read_posting(order: Order, *, asker: Asker, profile: Profile) -> PostingFacts:
    """Return what *order*'s posting says, as far as it really does: what a model adds is left out."""
    text = order.posting.text
    answer = await asker.ask(
        "posting",
        system=_SYSTEM,
        question=(
            "Name the company, the role, its seniority, what an applicant must have (one short phrase each), and the "
            f"keywords.\n\n<posting>\n{text[: profile.posting_characters]}\n</posting>"
        ),
        shape=FactsAnswer,
        max_tokens=profile.output_tokens,
    )
    company = re.split(r"\s+at\s+", answer.company)[-1]  # "Engineer at Acme" is no company
    evidence = Evidence(order.cv, posting=text, company=company, role=answer.role)
    names = {token.key for token in tokens_of(f"{evidence.company} {evidence.role}")}
    role = _without_company(evidence.role, evidence.company) or _role_in(text)
    musts = [one for one in _once(answer.must_haves) if _is_said(one, text) and not _keys(one) <= names]
    return PostingFacts(
        company=evidence.company,
        role=role,
        seniority=answer.seniority,
        must_haves=tuple(musts) or _musts_in(text),
        keywords=tuple(one for one in _once(answer.keywords) if _is_said(one, text) and not _keys(one) <= names),
    )


def facts_by_words(order: Order) -> PostingFacts:
    """Return what can be known of *order*'s posting without a model."""
    text = order.posting.text
    return PostingFacts(company="", role=_role_in(text), must_haves=_musts_in(text))


def _without_company(role: str, company: str) -> str:
    """Return *role* without "at COMPANY" behind it."""
    return re.sub(rf"\s*(?:\bat\b|@|,|\(|-)\s*{re.escape(company)}\W*$", "", role) if company else role


def _once(said: list[str]) -> list[str]:
    return list(
        {" ".join(one.split()).strip(" .,;-").casefold(): " ".join(one.split()).strip(" .,;-") for one in said}.values()
    )


def _keys(text: str) -> set[str]:
    return {token.key for token in tokens_of(text) if not token.neutral}


def _is_said(phrase: str, text: str) -> bool:
    """Return whether one sentence of *text* has all words of *phrase* that say something."""
    keys = _keys(phrase)
    return bool(keys) and any(keys <= _keys(sentence) for sentence in sentences_of(text))


def _role_in(text: str) -> str:
    """Return the title that a posting begins with, "" if it begins with prose."""
    first = re.split(r"\s+(?:at|bei|\||@)\s+|[,(|]", text.split("\n", maxsplit=1)[0].lstrip("# "))[0].strip(" .:-")
    return first if 0 < len(first.split()) <= 8 and not first.endswith(".") else ""  # noqa: PLR2004 - a title is short


def _musts_in(text: str) -> tuple[str, ...]:
    """Return the sentences of *text* that ask for something."""
    found = [sentence.lstrip("-*# ") for sentence in sentences_of(text)]
    asking = [sentence for sentence in found if _MUST.search(sentence) and not _PITCH.search(sentence)]
    return tuple(sentence[:200] for sentence in (asking or found)[:_MOST])
