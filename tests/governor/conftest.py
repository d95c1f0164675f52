"""A governor on a manual clock, with one service of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.testing import ManualClock

SERVICES = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "2m"
limits = { requests_per_minute = 100 }
breaker = { failure_threshold = 2, recovery_timeout = "30s" }
prices = { "m" = { input = "1", output = "2" } }

[services.pages]
kind = "http"
limits = { concurrent = 2 }
prices = { "*" = { request = "0.001", pages = "0.002" } }

[services.free]
kind = "http"

[[budgets]]
name = "small"
match = { job = "small" }
limit_usd = "0.003"

[[budgets]]
name = "skippable"
match = { job = "skippable" }
limit_usd = "0.001"
action = "skip"
"""


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
def open_governor(make_config: Callable[[str], Config], clock: ManualClock) -> Iterator[Callable[[], Governor]]:
    """Return a function that opens a governor on this test's ledger; it is closed at the end."""
    opened: list[Governor] = []

    def make() -> Governor:
        for earlier in opened:
            earlier.close()
        opened.append(Governor(make_config(SERVICES), clock=clock))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def governor(open_governor: Callable[[], Governor]) -> Governor:
    """An open governor."""
    return open_governor()
