"""What goes into an application, what each layer hands to the next, and what comes out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from jobsmith.cv import MasterCv
from jobsmith.grounding.verifier import Checked
from jobsmith.inputs.posting import Posting
from jobsmith.pdf.documents import Paper
from jobsmith.profiles import ProfileName

__all__ = [
    "Draft",
    "Files",
    "Fit",
    "Gate",
    "Letter",
    "Must",
    "Needs",
    "Order",
    "PostingFacts",
    "Prepared",
    "Quoted",
    "Research",
    "TailoredCv",
]


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Order(_Noun):
    """What is asked for.

    Attributes:
        service: the governed service of the model.
        model: its name there.
        date: the day that the letter bears, such as ``24 November 2026``.
    """

    posting: Posting
    cv: MasterCv
    service: str
    model: str
    profile: ProfileName = "balanced"
    paper: Paper = "a4"
    date: str = ""


class PostingFacts(_Noun):
    """What the posting says of itself. *company* and *role* occur in it; "" if it names none."""

    company: str
    role: str
    seniority: Literal["junior", "mid", "senior", "lead", "not stated"] = "not stated"
    must_haves: tuple[str, ...]
    keywords: tuple[str, ...] = ()


class Quoted(_Noun):
    """A reading of the posting with the sentence of it that it is from; the quote occurs there word by word."""

    text: str
    quote: str


class Needs(_Noun):
    """What hurts, and by what success is measured."""

    pain_points: tuple[Quoted, ...] = ()
    measures: tuple[Quoted, ...] = ()


class Research(_Noun):
    """What is known of the company: pairs of a source's URL and what it says. *skipped*: why there is nothing."""

    sources: tuple[tuple[str, str], ...] = ()
    skipped: str = ""


class Must(_Noun):
    """A must-have, and the statements of the CV that show it; *certain*: by the same words, not by judgement."""

    text: str
    shown_by: tuple[str, ...] = ()
    certain: bool = False


class Fit(_Noun):
    """How well CV and posting fit."""

    score: Annotated[int, Field(ge=0, le=100)]
    rationale: tuple[str, ...]
    gaps: tuple[str, ...]
    musts: tuple[Must, ...] = ()


class TailoredCv(_Noun):
    """A choice from the master CV: its summary, and for each entry (by id) what is said below it."""

    summary: tuple[str, ...]
    entries: tuple[tuple[str, tuple[str, ...]], ...]
    skills: tuple[str, ...]


class Letter(_Noun):
    """A letter: sentences, points, sentences."""

    opening: tuple[str, ...]
    points: tuple[str, ...]
    ending: tuple[str, ...]


class Draft(_Noun):
    """CV and letter with the source of each sentence; *refused* are those of the model that had none."""

    cv: TailoredCv
    letter: Letter
    report: tuple[Checked, ...]
    refused: tuple[Checked, ...] = ()


class Gate(_Noun):
    """What the quality gate has looked at, as sentences; it raises where something may not go out."""

    checks: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class Files(_Noun):
    """Names of the files that were made."""

    cv: str
    letter: str
    dossier: str


class Prepared(_Noun):
    """An application, ready to be sent."""

    facts: PostingFacts
    needs: Needs
    research: Research
    fit: Fit
    draft: Draft
    gate: Gate
    files: Files
    origin: str
    digest: str
