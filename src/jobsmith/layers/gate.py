"""Layer *gate*: nothing goes out that is empty, too long, or says what the master CV does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobsmith.errors import OutputError, UngroundedError
from jobsmith.layers.tracing import checked_lines, evidence_for
from jobsmith.nouns import Gate

if TYPE_CHECKING:
    from jobsmith.nouns import Draft, Order, PostingFacts, Research

__all__ = ["check_draft"]

_MOST_LETTER_WORDS: Final = 450


def check_draft(order: Order, facts: PostingFacts, research: Research, draft: Draft) -> Gate:
    """Return what was found in order.

    Every line of both documents is traced to its source once more, from the documents as they are now and not from
    what the layer before says of them.

    Raises:
        UngroundedError: a sentence has no source.
        OutputError: a document says too little or too much.
    """
    report = checked_lines(draft.cv, draft.letter, evidence_for(order, facts, research))
    bad = tuple(one.text for one in report if not one.is_grounded)
    if bad:
        raise UngroundedError(bad)
    words = sum(len(line.split()) for line in (*draft.letter.opening, *draft.letter.points, *draft.letter.ending))
    problems = []
    if not draft.letter.points:
        problems.append("the letter makes no point")
    if not any(points for _, points in draft.cv.entries):
        problems.append("the CV is empty")
    if words > _MOST_LETTER_WORDS:
        problems.append(f"the letter has {words} words, at most {_MOST_LETTER_WORDS} are read")
    if problems:
        layer = "gate"
        raise OutputError(layer, tuple(problems))
    own = sum(one.ground in {"cv", "copied"} for one in report)
    return Gate(
        checks=(
            f"{len(report)} sentences and lines, {own} from the master CV, none without a source",
            f"the letter has {words} words",
            f"{len(draft.cv.entries)} entries of the master CV, none left out",
        ),
        warnings=(
            *(["the posting does not name the company"] if not facts.company else []),
            *([f"{len(draft.refused)} sentences of the model were refused"] if draft.refused else []),
        ),
    )
