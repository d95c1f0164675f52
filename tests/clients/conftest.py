"""A governor on a manual clock, with services that only Python uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.testing import ManualClock

CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 1000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.pages]
kind = "http"
limits = {{ requests_per_minute = 1000 }}
breaker = {{ failure_threshold = 2 }}
prices = {{ "*" = {{ request = "0.001", pages = "0.002" }} }}

[services.tight]
kind = "http"
limits = {{ requests_per_minute = 1 }}
max_wait = "0s"

[[budgets]]
name = "tiny"
match = {{ job = "tiny" }}
limit_usd = "0.0000001"

[[budgets]]
name = "optional"
match = {{ job = "optional" }}
limit_usd = "0.0000001"
action = "skip"
"""


@pytest.fixture
def governor(make_config: Callable[[str], Config], sandbox: Sandbox) -> Iterator[Governor]:
    """An open governor in front of the sandbox; time stands still."""
    with Governor(make_config(CONFIG.format(url=sandbox.url)), clock=ManualClock(1_800_000_000.0)) as one:
        yield one
