"""The list of conformance cases, numbered in the names of the tests that show them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize(("rule", "cases"), [("breaker", 40), ("limiter", 30), ("budget", 20)])
def test_every_case_has_a_test_with_its_number(rule: str, cases: int) -> None:
    """No case of the list has lost its test."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(TESTS.rglob("test_*.py")))
    shown = {int(number) for number in re.findall(rf"(?:def test_{rule}_|{rule}-)(\d\d)", text)}
    assert sorted(set(range(1, cases + 1)) - shown) == []
