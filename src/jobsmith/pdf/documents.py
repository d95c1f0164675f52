"""What a PDF is made from: plain text in named places."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jobsmith.inputs.text import clean

__all__ = [
    "CvDocument",
    "CvPart",
    "CvSection",
    "Document",
    "DossierDocument",
    "LetterDocument",
    "Note",
    "Paper",
    "Table",
]

Paper = Literal["a4", "letter"]


def _line(value: object) -> object:
    return " ".join(clean(value).split()) if isinstance(value, str) else value


Line = Annotated[str, BeforeValidator(_line), Field(max_length=4000)]
"""Text without control characters or line breaks."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CvPart(_Part):
    """A post, a degree, a project."""

    heading: Line
    dates: Line = ""
    points: Annotated[tuple[Line, ...], Field(max_length=40)] = ()


class CvSection(_Part):
    """Parts of one kind under a title."""

    title: Line
    parts: Annotated[tuple[CvPart, ...], Field(max_length=60)]


class CvDocument(_Part):
    """A CV."""

    kind: Literal["cv"] = "cv"
    name: Annotated[Line, Field(min_length=1)]
    label: Line = ""
    contact: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    summary: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    sections: Annotated[tuple[CvSection, ...], Field(max_length=12)] = ()
    skills: Annotated[tuple[Line, ...], Field(max_length=120)] = ()


class LetterDocument(_Part):
    """A cover letter: paragraphs, then points, then paragraphs."""

    kind: Literal["letter"] = "letter"
    name: Annotated[Line, Field(min_length=1)]
    contact: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    date: Line = ""
    company: Line = ""
    subject: Annotated[Line, Field(min_length=1)]
    salutation: Line = "Dear hiring team,"
    opening: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    points: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    ending: Annotated[tuple[Line, ...], Field(max_length=12)] = ()
    closing: Line = "Kind regards,"


class Note(_Part):
    """Lines under a title."""

    title: Line
    lines: Annotated[tuple[Line, ...], Field(max_length=200)]


class Table(_Part):
    """Rows under a header."""

    title: Line
    header: tuple[Line, ...]
    rows: Annotated[tuple[tuple[Line, ...], ...], Field(max_length=400)]


class DossierDocument(_Part):
    """What the applicant keeps: how well it fits, why, and the source of each sentence."""

    kind: Literal["dossier"] = "dossier"
    title: Annotated[Line, Field(min_length=1)]
    name: Annotated[Line, Field(min_length=1)]
    notes: Annotated[tuple[Note, ...], Field(max_length=20)] = ()
    table: Table | None = None


Document = Annotated[CvDocument | LetterDocument | DossierDocument, Field(discriminator="kind")]
