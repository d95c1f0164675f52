"""A master CV from a file: Markdown or JSON Resume, checked before anything is spent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from jobsmith.errors import InputError
from jobsmith.inputs.language import require_english
from jobsmith.inputs.markdown_cv import cv_of_markdown
from jobsmith.inputs.resume_cv import cv_of_resume
from jobsmith.inputs.text import decoded

if TYPE_CHECKING:
    from pathlib import Path

    from jobsmith.cv import MasterCv

__all__ = ["cv_from_bytes", "cv_from_file"]

_MOST_CHARACTERS: Final = 60_000


def cv_from_file(path: Path) -> MasterCv:
    """Return the CV in the file at *path*.

    Raises:
        InputError: it can't be read, or is no CV that can be used; says which line or part.
    """
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        msg = f"{path}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from None
    return cv_from_bytes(raw, origin=path.name)


def cv_from_bytes(raw: bytes, *, origin: str) -> MasterCv:
    """Return the CV that *raw* is: JSON Resume if it begins with ``{``, else Markdown. Raises as *cv_from_file*."""
    what = f"the CV ({origin})"
    text = decoded(raw, what=what)
    if len(text) > _MOST_CHARACTERS:
        msg = f"{what} has {len(text):,} characters; at most {_MOST_CHARACTERS:,} are read"
        raise InputError(msg)
    cv = cv_of_resume(_json(text, what), what=what) if text.startswith("{") else cv_of_markdown(text, what=what)
    _check(cv, what)
    prose = " ".join(statement.text for statement in cv.statements())
    require_english(prose, what=what)
    return cv


def _json(text: str, what: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{what} begins as JSON and is none: {error}"
        raise InputError(msg) from None
    return dict(found)


def _check(cv: MasterCv, what: str) -> None:
    if not cv.of_kind("experience") and not cv.of_kind("education") and not cv.of_kind("project"):
        msg = f'{what} has no experience, education or projects; in Markdown they have headings such as "## Experience"'
        raise InputError(msg)
    for entry in cv.of_kind("experience"):
        if not entry.dates:
            msg = f'{what}: {entry.heading!r} has no dates; write them into its heading, such as "(2019 - 2022)"'
            raise InputError(msg)
    if not any(True for _ in cv.statements()):
        msg = f"{what} says nothing below its headings; write a few bullets for each post"
        raise InputError(msg)
