"""docs/security.md names only tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchgear.web.auth.attempts import BY_ADDRESS, OVERALL

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    """Each row of the threats points at a file or folder of tests."""
    named = set(re.findall(r"`(tests/[^`]+)`", PAGE))

    assert len(named) > 10
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_the_numbers_are_those_of_the_code() -> None:
    """How many attempts at a password there are is what the code counts."""
    assert f"{BY_ADDRESS} attempts a minute" in PAGE
    assert f"{OVERALL} in all" in PAGE
