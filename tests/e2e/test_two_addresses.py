"""The gateway at one address, dashboard and API at another."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Literal

import httpx2
import pytest

from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import ConfigError
from switchgear.server import Server

pytestmark = pytest.mark.e2e

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
SHOWN = (
    "/",
    "/calls",
    "/api/health",
    "/api/calls",
    "/metrics",
    "/openapi.json",
    "/static/x",
    "/partials/metrics-dashboard",
)
PROBES = ("/healthz", "/readyz")
CONFIG = """
[server]
{server}
[services.llm]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""


@pytest.fixture(params=["hot", "plain"])
def server(request: pytest.FixtureRequest, sandbox: Sandbox, make_config: Callable[[str], Config]) -> Iterator[Server]:
    """A server with two addresses."""
    path: Literal["hot", "plain"] = request.param
    config = make_config(CONFIG.format(server="admin_port = 0", url=sandbox.url))
    with Server(config, port=0, data_path=path) as running:
        yield running


def test_each_address_serves_its_half(server: Server, sandbox: Sandbox) -> None:
    """Calls and probes at one, pages, API, metrics and probes at the other; and neither what the other has."""
    assert server.url != server.admin_url
    call = httpx2.post(f"{server.url}/llm/v1/chat/completions", json=CHAT)
    assert call.status_code == 200
    for page in SHOWN:
        assert httpx2.get(f"{server.url}{page}").status_code == 404, page
    for probe in PROBES:
        assert httpx2.get(f"{server.url}{probe}").status_code == 200
        assert httpx2.get(f"{server.admin_url}{probe}").status_code == 200
    assert httpx2.get(f"{server.admin_url}/calls").status_code == 200
    assert len(httpx2.get(f"{server.admin_url}/api/calls").json()["items"]) == 1
    for path in ("/llm/v1/chat/completions", "/nothing/x"):
        assert httpx2.post(f"{server.admin_url}{path}", json=CHAT).status_code == 404
    assert sandbox.stats().received == 1


def test_nothing_of_the_api_can_be_changed_through_the_gateway(server: Server) -> None:
    """Commands at the gateway's address are 404, also behind a call on the same connection."""
    with httpx2.Client() as client:
        client.post(f"{server.url}/llm/v1/chat/completions", json=CHAT)
        for path in ("/api/config/reload", "/api/alerts/silences", "/-/sign-in"):
            assert client.post(f"{server.url}{path}", json={}).status_code == 404


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ('host = "0.0.0.0"\nadmin_host = "127.0.0.1"', r"server.host 0\.0\.0\.0: .* keys for the gateway, so"),
        (
            'admin_host = "0.0.0.0"\nadmin_port = 0',
            r"server.admin_host 0\.0\.0\.0: .* a password for the dashboard, so",
        ),
        (
            'host = "0.0.0.0"\nrequire_keys = true\nadmin_host = "0.0.0.0"\nadmin_port = 0',
            "a password for the dashboard",
        ),
    ],
)
def test_each_address_is_judged_by_what_is_there(
    make_config: Callable[[str], Config], sandbox: Sandbox, settings: str, missing: str
) -> None:
    """Beyond loopback the gateway needs keys and the dashboard a password: a start without is refused."""
    config = make_config(CONFIG.format(server=settings, url=sandbox.url))
    with pytest.raises(ConfigError, match=missing):
        Server(config, port=0)


def test_keys_alone_open_the_gateway_if_the_dashboard_stays_at_home(
    make_config: Callable[[str], Config], sandbox: Sandbox
) -> None:
    """With require_keys the gateway may be beyond loopback without a password, as pages are on loopback."""
    settings = 'host = "0.0.0.0"\nrequire_keys = true\nadmin_host = "127.0.0.1"\nadmin_port = 0'
    with Server(make_config(CONFIG.format(server=settings, url=sandbox.url)), port=0) as server:
        port = server.url.rpartition(":")[2]
        assert httpx2.post(f"http://127.0.0.1:{port}/llm/v1/chat/completions", json=CHAT).status_code == 401
        assert httpx2.get(f"{server.admin_url}/api/health").status_code == 200
        # Under another name, as DNS rebinding has it, pages do not answer.
        assert httpx2.get(f"{server.admin_url}/", headers={"host": "evil.example"}).status_code == 421


def test_the_same_address_twice_is_a_mistake(make_config: Callable[[str], Config]) -> None:
    """Where the gateway listens the dashboard can't be said to listen as well."""
    with pytest.raises(ConfigError, match="is where the gateway listens already"):
        make_config('[server]\nadmin_host = "127.0.0.1"\n')


def test_no_socket_is_left_of_a_start_that_fails(make_config: Callable[[str], Config]) -> None:
    """With the second address taken the first is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        with pytest.raises(ConfigError, match="is in use"):
            Server(make_config(f"[server]\nadmin_port = {taken.getsockname()[1]}\n"), port=port)
        socket.create_server(("127.0.0.1", port)).close()
