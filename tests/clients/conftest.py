"""Both transports, driven the same way, over a fake provider: no sockets, and time that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2
import pytest

from switchgear.clients.async_transport import AsyncGovernedTransport
from switchgear.clients.governor import Governor
from switchgear.clients.transport import GovernedTransport
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.testing import FakeProvider, ManualClock

CONFIG = """
[services.main]
kind = "openai"
base_url = "http://main.test/base"
timeout = "60s"
max_wait = "20s"
limits = { requests_per_minute = 1000, concurrent = 5 }
breaker = { failure_threshold = 4, recovery_timeout = "30s" }
retry = { attempts = 3, backoff = "1s", max_backoff = "10s" }
prices = { "m" = { input = "1", output = "2" } }
fallback = []

[services.other]
kind = "openai"
base_url = "http://other.test"
prices = { "m" = { input = "10", output = "20" } }

[services.third]
kind = "openai"
base_url = "http://third.test/v9"
limits = { requests_per_minute = 1000 }
retry = { attempts = 2, backoff = "1s" }
prices = { "m" = { input = "10", output = "20" } }

[services.web]
kind = "http"
base_url = "http://web.test"
retry = { attempts = 3, backoff = "1s" }
prices = { "*" = { request = "0.001" } }

[[budgets]]
name = "small"
match = { job = "small" }
limit_usd = "0.0015"
"""

PYTHON_ONLY = """
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

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}


class Client:
    """Sends through a governed transport, sync or async, as a test that knows neither."""

    def __init__(self, governor: Governor, provider: FakeProvider, *, is_async: bool) -> None:
        self.governor = governor
        self.provider = provider
        self.is_async = is_async
        self.draw = 0.5
        self.jitter: Callable[[], float] = lambda: self.draw

    def send(self, service: str = "main", path: str = "/v1/chat/completions", **request: Any) -> httpx2.Response:  # noqa: ANN401
        """Send one request to *service* and read its answer."""
        method = request.pop("method", "POST")
        refusals = request.pop("refusals", "response")
        if method == "POST" and "json" not in request:
            request["json"] = CHAT
        base = self.governor.service(service).base_url or ""
        one = httpx2.Request(
            method, f"{base}{path}", extensions={"timeout": {"read": 60.0, "connect": None}}, **request
        )
        settings: dict[str, Any] = {"refusals": refusals, "draw": self.jitter}
        if self.is_async:
            return asyncio.run(self._asend(one, service, settings))
        transport = GovernedTransport(self.governor, service, inner=self.provider, **settings)
        response = transport.handle_request(one)
        try:
            response.read()
        finally:
            response.close()
        return response

    async def _asend(self, one: httpx2.Request, service: str, settings: dict[str, Any]) -> httpx2.Response:
        transport = AsyncGovernedTransport(self.governor, service, inner=self.provider, **settings)
        response = await transport.handle_async_request(one)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    def rows(self) -> list[CallRow]:
        """Return the ledger's rows, oldest first."""
        return list(reversed(self.governor.ledger.reader.calls(CallFilter()).items))

    def began(self) -> list[float]:
        """Return the seconds from the first attempt to each, oldest first."""
        rows = self.rows()
        return [(row.started_at - rows[0].started_at) / 1e6 for row in rows]

    def urls(self) -> list[str]:
        """Return where each request went, oldest first."""
        return [str(request.url) for request in self.provider.requests]

    def story(self) -> list[tuple[str, int, str, int | None]]:
        """Return service, attempt, status and HTTP status of each row, oldest first."""
        return [(row.service, row.attempt, row.status, row.http_status) for row in self.rows()]


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
def provider(clock: ManualClock) -> FakeProvider:
    """The far side."""
    return FakeProvider(clock=clock)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def make_client(
    request: pytest.FixtureRequest, make_config: Callable[[str], Config], clock: ManualClock, provider: FakeProvider
) -> Iterator[Callable[..., Client]]:
    """Return a function that opens a governor and a client for it; *fallback* is that of ``main``."""
    opened: list[Governor] = []

    def make(*, fallback: Sequence[str] = ()) -> Client:
        text = CONFIG.replace("fallback = []", f"fallback = {list(fallback)}")
        opened.append(Governor(make_config(text), clock=clock))
        return Client(opened[-1], provider, is_async=request.param)

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    """A client of services without fallbacks."""
    return make_client()


@pytest.fixture
def governor(make_config: Callable[[str], Config], sandbox: Sandbox) -> Iterator[Governor]:
    """An open governor in front of the sandbox; time stands still."""
    with Governor(make_config(PYTHON_ONLY.format(url=sandbox.url)), clock=ManualClock(1_800_000_000.0)) as one:
        yield one
