"""Setting one document with typst: text in, the bytes of an accessible PDF out. Nothing here is governed."""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Final

from jobsmith.errors import JobsmithError, PdfError, PdfTextError

if TYPE_CHECKING:
    from datetime import datetime

    import typst

    from jobsmith.pdf.documents import CvDocument, DossierDocument, LetterDocument, Paper

__all__ = ["LARGEST", "missing", "typeset"]

LARGEST: Final = 512_000
"""A document's text has at most so many bytes."""

_PAPERS: Final[dict[Paper, str]] = {"a4": "a4", "letter": "us-letter"}
_STANDARD: Final = "ua-1"


def missing() -> str | None:
    """Return a sentence that says what is not installed, or None."""
    from importlib.util import find_spec

    return None if find_spec("typst") else 'PDFs need typst: pip install "switchgear[jobs]"'


def typeset(document: CvDocument | LetterDocument | DossierDocument, *, paper: Paper, at: datetime) -> bytes:
    """Return *document* as PDF/UA-1.

    Args:
        document: what it says. Text is shown as it is, whatever it looks like.
        paper: A4 or US Letter.
        at: the time that the PDF says it was made.

    Raises:
        PdfTextError: it is too large, or has letters that no font here has.
        PdfError: typst fails.
        JobsmithError: typst is not installed.
    """
    if (what := missing()) is not None:
        raise JobsmithError(what)
    import typst

    data = json.dumps(document.model_dump(), ensure_ascii=False)
    if len(data.encode()) > LARGEST:
        msg = f"the document has more than {LARGEST:,} bytes of text"
        raise PdfTextError(msg)
    with as_file(files("jobsmith.pdf") / "templates") as folder:
        try:
            made = typst.Compiler(font_paths=_fonts()).compile(
                folder / f"{document.kind}.typ",
                root=folder,
                format="pdf",
                sys_inputs={"data": data, "paper": _PAPERS[paper]},
                pdf_standards=[_STANDARD],
                timestamp=at,
            )
        except typst.TypstError as error:
            raise _told(error) from error
    if not isinstance(made, bytes):
        msg = f"typst made no single file of a {document.kind}"
        raise PdfError(msg)
    return made


@functools.cache
def _fonts() -> typst.Fonts:
    import typst

    return typst.Fonts()


def _told(error: typst.TypstError) -> PdfError:
    lacking = re.search(r"the text `?\"?(.+?)\"?`? could not be displayed", error.message)
    if lacking:
        msg = f"no font here has {lacking[1]!r}: take it out, or install a font that has it (Debian: fonts-noto)"
        return PdfTextError(msg)
    hints = "; ".join(error.hints or ())
    msg = f"typst can't set it: {error.message}{f' ({hints})' if hints else ''}"
    return PdfError(msg)
