from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from switchgear.drills.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of one's own."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx2.Client]:
    """A plain HTTP client of the sandbox."""
    with httpx2.Client(base_url=sandbox.url, timeout=10) as made:
        yield made
