"""Layer *fit*: 0 to 100, with what shows each must-have in the CV, and what nothing shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from jobsmith.grounding.tokens import tokens_of
from jobsmith.nouns import Fit, Must

if TYPE_CHECKING:
    from jobsmith.asking import Asker
    from jobsmith.cv import MasterCv
    from jobsmith.nouns import Order, PostingFacts
    from jobsmith.profiles import Profile

__all__ = ["FitAnswer", "fit_by_words", "ranked", "rate_fit"]

_MUSTS_WEIGH: Final = 75
_ENOUGH: Final = 0.5
_SYSTEM: Final = "You compare a CV with a job posting, without kindness. Answer in JSON."


class _Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")

    must_have: Annotated[int, Field(ge=1)]
    statement: Annotated[str, Field(max_length=8)]


class FitAnswer(BaseModel):
    """What a model is asked for: which statement of the CV shows which must-have."""

    model_config = ConfigDict(extra="forbid")

    shown: Annotated[list[_Shown], Field(max_length=10)]


async def rate_fit(order: Order, facts: PostingFacts, *, asker: Asker, profile: Profile) -> Fit:
    """Return how well they fit.

    A must-have that shares its words with the CV counts in full, one that a model alone sees there by half.
    """
    musts = [_by_words(one, order.cv) for one in facts.must_haves]
    if profile.judges_fit and any(not must.shown_by for must in musts):
        musts = await _judged(musts, order, facts, asker, profile)
    return _rated(musts, order, facts)


def fit_by_words(order: Order, facts: PostingFacts) -> Fit:
    """Return the same by words alone."""
    return _rated([_by_words(one, order.cv) for one in facts.must_haves], order, facts)


def _rated(musts: list[Must], order: Order, facts: PostingFacts) -> Fit:
    keywords = [word for word in facts.keywords if _by_words(word, order.cv).shown_by]
    share = sum(1.0 if must.certain else 0.5 for must in musts if must.shown_by) / max(1, len(musts))
    if facts.keywords:
        share = (share * _MUSTS_WEIGH + len(keywords) / len(facts.keywords) * (100 - _MUSTS_WEIGH)) / 100
    gaps = tuple(must.text for must in musts if not must.shown_by)
    return Fit(score=round(100 * share), rationale=_told(musts, facts, keywords), gaps=gaps, musts=tuple(musts))


def ranked(cv: MasterCv, words: str) -> list[str]:
    """Return the ids of the CV's statements, those first that share most with *words*; else in the CV's order."""
    wanted = _keys(words)
    places = {statement.id: at for at, statement in enumerate(cv.statements())}
    shared = {statement.id: len(_keys(statement.text) & wanted) for statement in cv.statements()}
    return sorted(places, key=lambda one: (-shared[one], places[one]))


async def _judged(musts: list[Must], order: Order, facts: PostingFacts, asker: Asker, profile: Profile) -> list[Must]:
    best = ranked(order.cv, " ".join((*facts.must_haves, *facts.keywords)))[: profile.statements]
    texts = {statement.id: statement.text for statement in order.cv.statements()}
    listed = "\n".join(f"{at}. {must.text}" for at, must in enumerate(musts, 1))
    said = "\n".join(f"[{one}] {texts[one]}" for one in best)
    answer = await asker.ask(
        "fit",
        system=_SYSTEM,
        question=(
            "Which statement of the CV shows which must-have? Give the number of the must-have and the id of the "
            f"statement; leave out a must-have that none shows.\n\nMust-haves:\n{listed}\n\nCV:\n{said}"
        ),
        shape=FitAnswer,
        max_tokens=profile.output_tokens,
    )
    seen = {one.must_have: one.statement.strip("[] ") for one in answer.shown}
    return [
        must if must.shown_by or seen.get(at) not in best else must.model_copy(update={"shown_by": (seen[at],)})
        for at, must in enumerate(musts, 1)
    ]


def _by_words(phrase: str, cv: MasterCv) -> Must:
    """Return what of the CV has the words of *phrase*: all of a short one, half of a sentence."""
    keys = _keys(phrase)
    skills = {skill.id: _keys(skill.name) for skill in cv.skills}
    said = {statement.id: _keys(statement.text) for statement in cv.statements()}
    for entry in cv.entries:
        said[entry.id] = _keys(entry.heading)
    found = [
        one
        for one, theirs in (*skills.items(), *said.items())
        if keys and theirs & keys and (len(keys & theirs) / len(keys) >= _ENOUGH or (one in skills and theirs <= keys))
    ]
    return Must(text=phrase, shown_by=tuple(found[:4]), certain=bool(found))


def _keys(text: str) -> set[str]:
    return {token.key for token in tokens_of(text) if not token.neutral}


def _told(musts: list[Must], facts: PostingFacts, keywords: list[str]) -> tuple[str, ...]:
    certain = sum(must.certain for must in musts)
    judged = sum(bool(must.shown_by) and not must.certain for must in musts)
    told = [f"{certain} of {len(musts)} must-haves are in the CV in the same words."]
    if judged:
        told.append(f"{judged} more are shown in other words, as the model sees it; they count half.")
    if facts.keywords:
        told.append(f"{len(keywords)} of {len(facts.keywords)} keywords are in the CV.")
    return tuple(told)
