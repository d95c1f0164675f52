"""A running server in front of the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.server import Server

CONFIG = """
[services.llm]
kind = "openai"
provider = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.claude]
kind = "anthropic"
provider = "anthropic"
base_url = "{url}"
limits = {{ requests_per_minute = 1 }}
max_wait = "0s"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.web]
kind = "http"
base_url = "{url}/prefix"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "*" = {{ request = "0.001" }} }}

[services.strict]
kind = "openai"
base_url = "{url}"

[services.dead]
kind = "openai"
base_url = "http://127.0.0.1:9"
breaker = {{ failure_threshold = 2 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.function]
kind = "http"

[[budgets]]
name = "three-calls"
match = {{ job = "three" }}
limit_usd = "{three}"
"""


@pytest.fixture
def server(sandbox: Sandbox, make_config: Callable[[str], Config]) -> Iterator[Server]:
    """A running server in front of the sandbox."""
    with Server(make_config(CONFIG.format(url=sandbox.url, three="0.003")), port=0) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """Plain HTTP to the gateway, adding as little as httpx2 allows."""
    with httpx2.Client(base_url=server.url, timeout=10) as one:
        yield one
