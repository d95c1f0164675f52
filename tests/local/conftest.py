from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.local import LocalModel, missing

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    """The real model; where it is not installed the test fails, with the sentence that says how to get it."""
    if (what := missing()) is not None:
        pytest.fail(what)
    with LocalModel() as running:
        yield running
