from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from switchgear.insight.buckets import Bucket
from switchgear.insight.questions import GROUPS
from switchgear.insight.usage import Metric

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs" / "costs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*GROUPS, "tag.<name>", *get_args(Bucket), *get_args(Metric)])
def test_every_word_that_can_be_asked_is_documented(word: str) -> None:
    """docs/costs.md names each group, bucket and metric."""
    assert f"`{word}`" in PAGE
