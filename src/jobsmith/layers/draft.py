"""Layer *draft*: CV and letter, of what a model writes as far as the CV supports it, and of the CV itself otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from jobsmith.grounding.verifier import check_sentence
from jobsmith.layers.choice import chosen_entries, chosen_skills, framed_letter, quotable
from jobsmith.layers.fit import ranked
from jobsmith.layers.tracing import checked_lines, evidence_for
from jobsmith.nouns import Draft, TailoredCv
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from jobsmith.asking import Asker
    from jobsmith.grounding.evidence import Evidence
    from jobsmith.grounding.verifier import Checked, Document
    from jobsmith.nouns import Fit, Letter, Needs, Order, PostingFacts, Research
    from jobsmith.profiles import Profile

__all__ = ["DraftAnswer", "draft_by_words", "write_draft"]

_FEWEST_WORDS: Final = 4
_SYSTEM: Final = (
    "You tailor applications. You never add a fact: each sentence repeats one statement of the CV, with its numbers "
    "and names, and may say it with the posting in mind. Answer in JSON."
)


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    statement: Annotated[str, Field(max_length=8)]
    text: Annotated[str, Field(max_length=160)]


class DraftAnswer(BaseModel):
    """What a model is asked for."""

    model_config = ConfigDict(extra="forbid")

    letter: Annotated[list[_Said], Field(min_length=1, max_length=4)]
    about_you: Annotated[list[Annotated[str, Field(max_length=140)]], Field(max_length=1)]
    summary: Annotated[list[Annotated[str, Field(max_length=140)]], Field(max_length=2)]


class _Rewritten(BaseModel):
    model_config = ConfigDict(extra="forbid")

    letter: Annotated[list[_Said], Field(max_length=4)]


async def write_draft(
    order: Order, facts: PostingFacts, needs: Needs, research: Research, fit: Fit, *, asker: Asker, profile: Profile
) -> Draft:
    """Return CV and letter with the source of each sentence.

    A sentence of the model that no source supports is handed back, as often as *profile* says, and left out then; the
    CV's own statement takes its place.
    """
    evidence = evidence_for(order, facts, research)
    best = ranked(order.cv, _wanted(facts, needs, fit))[: profile.statements]
    answer = await asker.ask(
        "draft",
        system=_SYSTEM,
        question=_question(order, facts, needs, best, profile),
        shape=DraftAnswer,
        max_tokens=profile.output_tokens,
    )
    points, refused = _sorted_out(answer.letter, best, evidence)
    failed = refused
    for _ in range(profile.rewrites):
        if not failed:
            break
        again = await _rewritten(failed, order, asker, profile)
        better, failed = _sorted_out(again, best, evidence)
        points = {**better, **points}
        refused = [*refused, *failed]
    summary, no_summary = _kept(answer.summary, evidence, "cv")
    about, no_about = _kept(answer.about_you, evidence, "letter")
    about = [one for one in about if one.ground in {"posting", "research"} and _is_whole(one.text)]
    letter = framed_letter(
        evidence,
        about=[one.text for one in about] or quotable(needs, evidence),
        points=_points(points, best, order, profile.points),
    )
    return _drafted(
        order,
        facts,
        fit,
        best,
        letter,
        evidence=evidence,
        summary=tuple(one.text for one in summary if _is_whole(one.text)),
        refused=tuple({one.text: one for one in (*(check for check, _ in refused), *no_summary, *no_about)}.values()),
    )


def draft_by_words(
    order: Order, facts: PostingFacts, needs: Needs, research: Research, fit: Fit, *, profile: Profile
) -> Draft:
    """Return CV and letter without a model: the CV's own statements, those that fit best."""
    evidence = evidence_for(order, facts, research)
    best = ranked(order.cv, _wanted(facts, needs, fit))[: profile.statements]
    points = _points({}, best, order, profile.points)
    letter = framed_letter(evidence, about=quotable(needs, evidence), points=points)
    return _drafted(order, facts, fit, best, letter, evidence=evidence)


def _drafted(
    order: Order,
    facts: PostingFacts,
    fit: Fit,
    best: list[str],
    letter: Letter,
    *,
    evidence: Evidence,
    summary: tuple[str, ...] = (),
    refused: tuple[Checked, ...] = (),
) -> Draft:
    cv = TailoredCv(
        summary=summary or tuple(one.text for one in order.cv.summary),
        entries=chosen_entries(order.cv, best),
        skills=chosen_skills(order.cv, fit, facts),
    )
    return Draft(cv=cv, letter=letter, report=checked_lines(cv, letter, evidence), refused=refused)


def _wanted(facts: PostingFacts, needs: Needs, fit: Fit) -> str:
    quotes = (one.quote for one in (*needs.pain_points, *needs.measures))
    return " ".join((*facts.must_haves, *facts.keywords, *quotes, *(must.text for must in fit.musts)))


def _question(order: Order, facts: PostingFacts, needs: Needs, best: list[str], profile: Profile) -> str:
    texts = {statement.id: statement.text for statement in order.cv.statements()}
    said = "\n".join(f"[{one}] {texts[one]}" for one in best)
    asked = "\n".join(f"- {one}" for one in facts.must_haves)
    quotes = "\n".join(f"- {one.quote}" for one in (*needs.pain_points, *needs.measures))
    return (
        f"Write for the role {facts.role or 'in the posting'} at {facts.company or 'the company'}.\n"
        f"letter: {profile.points} sentences that begin with I, each with the id of the statement that it repeats.\n"
        "about_you: a sentence that begins with You or Your and repeats what the posting says.\n"
        f"summary: up to two sentences for the top of the CV, from its statements.\n\nThey ask for:\n{asked}\n\n"
        f"They say:\n{quotes}\n\nStatements of the CV:\n{said}"
    )


def _sorted_out(
    said: list[_Said], best: list[str], evidence: Evidence
) -> tuple[dict[str, str], list[tuple[Checked, str]]]:
    """Return the sentences that are supported, by statement, and those that are not, with the statement meant."""
    good: dict[str, str] = {}
    bad: list[tuple[Checked, str]] = []
    for one in said:
        meant = one.statement.strip("[] ")
        for sentence in sentences_of(" ".join(one.text.split())):
            checked = check_sentence(sentence, evidence, document="letter")
            if checked.ground in {"cv", "copied"} and _is_whole(sentence):
                source = next((each for each in checked.sources if each in best), meant)
                good.setdefault(source, sentence)
            elif checked.ground == "refused":
                bad.append((checked, meant))
    return good, bad


async def _rewritten(failed: list[tuple[Checked, str]], order: Order, asker: Asker, profile: Profile) -> list[_Said]:
    texts = {statement.id: statement.text for statement in order.cv.statements()}
    told = "\n".join(
        f"- {checked.text!r} says what the CV does not: {', '.join(problem.text for problem in checked.problems)}. "
        f"[{meant}] is: {texts.get(meant, 'no statement')}"
        for checked, meant in failed[:4]
    )
    answer = await asker.ask(
        "draft",
        system=_SYSTEM,
        question=f"Write these sentences again, with no fact that their statement does not have.\n{told}",
        shape=_Rewritten,
        max_tokens=profile.output_tokens,
    )
    return answer.letter


def _is_whole(sentence: str) -> bool:
    """Return whether *sentence* is one, and not the beginning of one."""
    return len(sentence.split()) >= _FEWEST_WORDS and sentence.endswith((".", "!", "?"))


def _kept(said: list[str], evidence: Evidence, document: Document) -> tuple[list[Checked], list[Checked]]:
    checked = [
        check_sentence(sentence, evidence, document=document)
        for text in said
        for sentence in sentences_of(" ".join(text.split()))
    ]
    return [one for one in checked if one.is_grounded], [one for one in checked if not one.is_grounded]


def _points(good: dict[str, str], best: list[str], order: Order, count: int) -> list[str]:
    """Return *count* points: the model's sentences, then the CV's own statements that fit best."""
    texts = {statement.id: statement.text for statement in order.cv.statements()}
    found = list(good.values())[:count]
    rest = (texts[one] for one in best if one not in good and texts[one] not in found)
    return [*found, *list(rest)[: count - len(found)]]
