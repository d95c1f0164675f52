"""docs/ledger.md has every kind of entry of the audit trail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchgear.ledger.trail import KINDS

pytestmark = pytest.mark.docs


def test_every_kind_is_on_the_page() -> None:
    """The table of kinds is complete and in order."""
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    table = page.partition("| kind | when |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == sorted(KINDS)
