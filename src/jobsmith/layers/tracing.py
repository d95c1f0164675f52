"""Tracing each line of an application to its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobsmith.grounding.evidence import Evidence
from jobsmith.grounding.verifier import check_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobsmith.grounding.verifier import Checked, Document
    from jobsmith.nouns import Letter, Order, PostingFacts, Research, TailoredCv

__all__ = ["checked_lines", "evidence_for"]


def evidence_for(order: Order, facts: PostingFacts, research: Research) -> Evidence:
    """Return what may be said in this application."""
    return Evidence(
        order.cv, posting=order.posting.text, research=research.sources, company=facts.company, role=facts.role
    )


def checked_lines(cv: TailoredCv, letter: Letter, evidence: Evidence) -> tuple[Checked, ...]:
    """Return each sentence of both documents with its source. What stands below an entry must be that entry's."""
    found: list[Checked] = []
    for document, line, entry in _lines(cv, letter):
        for one in check_line(line, evidence, document=document):
            own = tuple(source for source in one.sources if source == entry or source.startswith(f"{entry}."))
            if entry and (not own or (one.ground != "copied" and own != one.sources)):
                one = one.model_copy(update={"ground": "refused"})  # noqa: PLW2901 - the same line, judged by its place
            elif entry:
                one = one.model_copy(update={"sources": own})  # noqa: PLW2901 - as above
            found.append(one)
    return tuple(found)


def _lines(cv: TailoredCv, letter: Letter) -> Iterator[tuple[Document, str, str]]:
    """Yield the document, the line, and the entry that a line of the CV stands below."""
    for line in (*cv.summary, *cv.skills):
        yield "cv", line, ""
    for entry, points in cv.entries:
        for line in points:
            yield "cv", line, entry
    for line in (*letter.opening, *letter.points, *letter.ending):
        yield "letter", line, ""
