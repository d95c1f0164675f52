from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from jobsmith.grounding.evidence import Evidence
from jobsmith.inputs.cv import cv_from_bytes
from jobsmith.inputs.posting import posting_of

GOLDEN = Path(__file__).parents[1] / "golden"


class Golden:
    """A posting and a CV with sentences that they support, and inventions planted by hand."""

    def __init__(self, file: Path) -> None:
        said: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        self.name = file.stem
        self.cv = cv_from_bytes(said["cv"].strip().encode(), origin=file.name)
        self.posting = posting_of(said["posting"])
        self.company: str = said["company"]
        self.role: str = said["role"]
        self.grounded: list[str] = said["grounded"]
        self.planted: dict[str, list[str]] = said["planted"]
        self.evidence = Evidence(self.cv, posting=self.posting.text, company=self.company, role=self.role)


@pytest.fixture(scope="session")
def golden() -> list[Golden]:
    """The golden set."""
    return [Golden(file) for file in sorted(GOLDEN.glob("*.toml"))]
