"""What needs no model: which of the CV is shown, and how a letter is framed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobsmith.grounding.frames import is_frame
from jobsmith.grounding.tokens import tokens_of
from jobsmith.nouns import Letter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobsmith.cv import MasterCv
    from jobsmith.grounding.evidence import Evidence
    from jobsmith.nouns import Fit, Needs, PostingFacts

__all__ = ["chosen_entries", "chosen_skills", "framed_letter", "quotable"]

_MOST_POINTS: Final = 6
_LONGEST_QUOTE: Final = 200


def chosen_entries(cv: MasterCv, best: Sequence[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return every entry of *cv* in its order (a gap in a life raises questions), what fits best first in each."""
    place = {one: at for at, one in enumerate(best)}
    return tuple(
        (
            entry.id,
            tuple(
                statement.text
                for statement in sorted(entry.statements, key=lambda one: place.get(one.id, len(place)))[:_MOST_POINTS]
            ),
        )
        for entry in cv.entries
    )


def chosen_skills(cv: MasterCv, fit: Fit, facts: PostingFacts) -> tuple[str, ...]:
    """Return all skills of *cv*, those first that are asked for."""
    shown = {one for must in fit.musts for one in must.shown_by}
    asked = {token.key for word in facts.keywords for token in tokens_of(word)}
    wanted = [skill.id in shown or bool({t.key for t in tokens_of(skill.name)} & asked) for skill in cv.skills]
    first = [skill.text for skill, is_wanted in zip(cv.skills, wanted, strict=True) if is_wanted]
    return (*first, *(skill.text for skill, is_wanted in zip(cv.skills, wanted, strict=True) if not is_wanted))


def framed_letter(evidence: Evidence, *, about: Sequence[str], points: Sequence[str]) -> Letter:
    """Return a letter of *about* (the reader) and *points* (the writer) in sentences that claim nothing."""
    return Letter(
        opening=(_first_sentence(evidence), *about, "This is what I bring to it:"),
        points=tuple(points),
        ending=("I would welcome the chance to discuss the role.", "Thank you for considering my application."),
    )


def _first_sentence(evidence: Evidence) -> str:
    """Return what the letter is for, with role and company if they make a sentence that may stand."""
    role = f"the {evidence.role} position" if evidence.role else "the position"
    at = f" at {evidence.company}" if evidence.company else ""
    whole = (f"I am applying for {what}{'' if what.endswith('.') else '.'}" for what in (f"{role}{at}", role))
    return next((one for one in whole if is_frame(one, evidence)), "I am applying for the position.")


def quotable(needs: Needs, evidence: Evidence) -> list[str]:
    """Return a quote of the posting as a sentence, if one is short enough; it is what the letter answers to."""
    for one in (*needs.pain_points, *needs.measures):
        sentence = f'You write: "{one.quote}"'
        if len(one.quote) <= _LONGEST_QUOTE and '"' not in one.quote and evidence.quoted(sentence) is not None:
            return [sentence]
    return []
