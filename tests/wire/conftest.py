"""Requests are read as without the extra ``tokens``, except where it is what is tested."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _without_counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.module.__name__.rpartition(".")[2] != "test_tokens":
        monkeypatch.setattr("switchgear.wire.openai.counter_for", lambda model: None)
