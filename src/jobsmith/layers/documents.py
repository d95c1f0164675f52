"""From a draft to what the PDF service sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobsmith.pdf.documents import CvDocument, CvPart, CvSection, DossierDocument, LetterDocument, Note, Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobsmith.cv import EntryKind, MasterCv
    from jobsmith.nouns import Draft, Fit, Gate, Needs, Order, PostingFacts, Quoted, Research, TailoredCv

__all__ = ["cv_document", "dossier_document", "letter_document", "whole_cv"]

_TITLES: Final[dict[EntryKind, str]] = {
    "experience": "Experience",
    "education": "Education",
    "project": "Projects",
    "other": "More",
}
_CELL: Final = 300


def cv_document(cv: MasterCv, tailored: TailoredCv) -> CvDocument:
    """Return the CV: headings and dates are the master's, word for word."""
    points = dict(tailored.entries)
    return CvDocument(
        name=cv.name,
        label=cv.label,
        contact=cv.contact[:12],
        summary=tailored.summary,
        sections=tuple(_sections(cv, points)),
        skills=tailored.skills,
    )


def whole_cv(cv: MasterCv) -> CvDocument:
    """Return all of *cv*, to see beforehand whether it can be set."""
    points = {entry.id: tuple(one.text for one in entry.statements) for entry in cv.entries}
    return CvDocument(
        name=cv.name,
        label=cv.label,
        contact=cv.contact[:12],
        summary=tuple(one.text for one in cv.summary)[:12],
        sections=tuple(_sections(cv, points)),
        skills=tuple(skill.text for skill in cv.skills)[:120],
    )


def letter_document(order: Order, facts: PostingFacts, draft: Draft) -> LetterDocument:
    """Return the letter."""
    at = f" at {facts.company}" if facts.company else ""
    return LetterDocument(
        name=order.cv.name,
        contact=order.cv.contact[:12],
        date=order.date,
        company=facts.company,
        subject=f"Application: {facts.role or 'the position'}{at}",
        opening=draft.letter.opening,
        points=draft.letter.points,
        ending=draft.letter.ending,
    )


def dossier_document(
    order: Order, facts: PostingFacts, needs: Needs, research: Research, fit: Fit, draft: Draft, gate: Gate
) -> DossierDocument:
    """Return what the applicant keeps: fit, gaps, needs, research, and the source of each sentence."""
    notes = (
        Note(title=f"Fit: {fit.score} of 100", lines=fit.rationale),
        Note(title="Gaps", lines=fit.gaps or ("none",)),
        Note(title="Pain points", lines=_read(needs.pain_points)),
        Note(title="Success measures", lines=_read(needs.measures)),
        Note(title="Research", lines=_found(research)),
        Note(title="Quality gate", lines=(*gate.checks, *gate.warnings)),
    )
    rows = tuple((one.document, one.text[:_CELL], ", ".join(one.sources) or one.ground) for one in draft.report)
    return DossierDocument(
        title=f"Dossier: {facts.role or 'the position'}{f' at {facts.company}' if facts.company else ''}",
        name=order.cv.name,
        notes=notes,
        table=Table(title="Where each sentence is from", header=("In", "Sentence", "Source"), rows=rows),
    )


def _sections(cv: MasterCv, points: dict[str, tuple[str, ...]]) -> Iterable[CvSection]:
    for kind, title in _TITLES.items():
        parts = tuple(
            CvPart(
                heading="" if entry.heading == title else entry.heading,
                dates=entry.dates,
                points=points.get(entry.id, ())[:40],
            )
            for entry in cv.of_kind(kind)
        )
        if parts:
            yield CvSection(title=title, parts=parts)


def _read(readings: Iterable[Quoted]) -> tuple[str, ...]:
    told = (f'"{one.quote}"' if one.text == one.quote else f'{one.text}: "{one.quote}"' for one in readings)
    return tuple(told) or ("none found",)


def _found(research: Research) -> tuple[str, ...]:
    if research.skipped:
        return (f"skipped: {research.skipped}",)
    return tuple(f"{url}: {text[:_CELL]}" for url, text in research.sources)
