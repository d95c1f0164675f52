from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchgear.config import load_text

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs" / "budgets.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page_on_budgets_run(capsys: pytest.CaptureFixture[str]) -> None:
    """What docs/budgets.md shows is valid configuration, and Python that runs."""
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [budget.action for budget in load_text(f"[services.openai]\n{toml}", environ={}).budgets] == [
        "degrade",
        "fail",
    ]
    (python,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(python, {})  # noqa: S102 - our own page
    assert capsys.readouterr().out.startswith("0.02 0.48 ok\n0.000369 ")
