from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pypdfium2  # type: ignore[import-untyped]  # it brings no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jobsmith.errors import PdfTextError
from jobsmith.pdf.documents import CvDocument, CvPart, CvSection, DossierDocument, LetterDocument, Note, Paper, Table
from jobsmith.pdf.setting import LARGEST, typeset

AT = datetime(2026, 11, 24, tzinfo=UTC)
MARKUP = '#panic("x") *b* $y$ #read("/etc/passwd") <script> \\ `raw` @ref [link](x) ]#sys.inputs = _i_'
PART = CvPart(heading="Engineer, Acme", dates="2019 \u2013 2022", points=("Built it.",))
CV = CvDocument(
    name="Łukasz Ñandú-Ωμέγα",
    label="Инженер",
    contact=("a@example.org", "+1 555 0100"),
    summary=("First sentence.", "Second one."),
    sections=(CvSection(title="Experience", parts=(PART,)),),
    skills=("C++", "C#", "Go"),
)  # fmt: skip
LETTER = LetterDocument(
    name="Ada",
    contact=("a@example.org",),
    date="24 November 2026",
    company="Acme",
    subject="Application",
    opening=("One.",),
    points=("Point.",),
    ending=("Bye.",),
)
DOSSIER = DossierDocument(
    title="Dossier", name="Ada", notes=(Note(title="Fit", lines=("90",)),),
    table=Table(title="Sources", header=("Sentence", "Source"), rows=(("Built it.", "e1.1"),)),
)  # fmt: skip


@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_a_cv_is_set_on_both_papers(paper: Paper, size: tuple[int, int], text_of: Callable[[bytes], str]) -> None:
    """The pages have the paper's size, and the text comes out in reading order, accents and scripts too."""
    pdf = typeset(CV, paper=paper, at=AT)

    found = text_of(pdf)
    with pypdfium2.PdfDocument(pdf) as document:
        assert tuple(map(round, document[0].get_size())) == size
    words = [
        "Łukasz Ñandú-Ωμέγα",
        "Инженер",
        "a@example.org",
        "First sentence. Second one.",
        "Engineer, Acme",
        "2019",
        "Built it.",
        "C++, C#, Go",
    ]
    places = [found.index(word) for word in words]
    assert places == sorted(places)


@pytest.mark.parametrize("document", [CV, LETTER, DOSSIER], ids=lambda one: one.kind)
def test_every_document_is_accessible(document: CvDocument | LetterDocument | DossierDocument) -> None:
    """Each is tagged, says its language and title, and claims PDF/UA-1, which typst checks."""
    pdf = typeset(document, paper="a4", at=AT)

    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert b"/StructTreeRoot" in pdf
    assert b"/Lang" in pdf
    with pypdfium2.PdfDocument(pdf) as opened:
        assert opened.get_metadata_value("Title")


def test_text_is_never_markup(text_of: Callable[[bytes], str]) -> None:
    """What looks like typst or HTML comes out letter by letter."""
    found = text_of(typeset(CV.model_copy(update={"label": MARKUP}), paper="a4", at=AT))

    assert " ".join(MARKUP.split()) in " ".join(found.split())


def test_control_characters_never_reach_a_page() -> None:
    """They are taken out where a document is made, and so are line breaks and pictures."""
    made = LetterDocument(name="A\u0007da\u202e", subject="x\ny\u0000 \U0001f389z")

    assert (made.name, made.subject) == ("Ada", "x y z")


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x24F, exclude_categories=["Cs"]), max_size=300))
def test_any_latin_text_can_be_set(text: str) -> None:
    """No text of Latin letters, whatever signs are in it, keeps a letter from being set."""
    assert typeset(LetterDocument(name="Ada", subject="x", opening=(text,)), paper="a4", at=AT).startswith(b"%PDF")


def test_letters_without_a_font_are_told() -> None:
    """A script that no font here has is named, rather than printed as boxes."""
    with pytest.raises(PdfTextError, match="no font here has '𒀀"):
        typeset(CV.model_copy(update={"label": "𒀀"}), paper="a4", at=AT)


def test_a_document_has_bounds() -> None:
    """Too much text is an error of the text, too many parts are none of a document."""
    many = CV.model_copy(update={"summary": ("x" * 4000,) * (LARGEST // 4000 + 1)})

    with pytest.raises(PdfTextError, match="more than"):
        typeset(many, paper="a4", at=AT)
    with pytest.raises(ValidationError):
        CvDocument(name="Ada", summary=("x",) * 100)


def test_the_same_document_is_the_same_file() -> None:
    """Nothing but the document and the time goes into it."""
    assert typeset(CV, paper="a4", at=AT) == typeset(CV, paper="a4", at=AT)


def test_points_of_a_section_without_a_heading_of_their_own_have_none(text_of: Callable[[bytes], str]) -> None:
    """The section's title stands once, and the points follow it."""
    bare = CvSection(title="Education", parts=(CvPart(heading="", dates="", points=("MSc, 2016",)),))

    found = text_of(typeset(CV.model_copy(update={"sections": (bare,)}), paper="a4", at=AT))

    assert found.count("Education") == 1
    assert found.index("Education") < found.index("MSc, 2016")
