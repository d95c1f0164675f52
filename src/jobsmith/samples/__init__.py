"""A CV and three postings that are made up: two that suit it, and one that does not."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jobsmith.inputs.cv import cv_from_bytes
from jobsmith.inputs.posting import posting_from_bytes

if TYPE_CHECKING:
    from jobsmith.cv import MasterCv
    from jobsmith.inputs.posting import Posting

__all__ = ["NAMES", "sample_cv", "sample_posting"]

NAMES: Final = ("backend", "lead", "chef")


def sample_cv() -> MasterCv:
    """Return the CV."""
    return cv_from_bytes((files(__name__) / "cv.md").read_bytes(), origin="cv.md")


def sample_posting(name: str) -> Posting:
    """Return the posting called *name*, one of *NAMES*."""
    return posting_from_bytes((files(__name__) / f"{name}.md").read_bytes(), origin=f"{name}.md")
