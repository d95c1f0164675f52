from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from starlette.testclient import TestClient

from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.testing import ManualClock
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from tests.web.conftest import Place

CONFIG = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "0s"
limits = { requests_per_minute = 2, tokens_per_minute = 1000 }
breaker = { failure_threshold = 1 }
prices = { "m" = { input = "1", output = "2" } }

[[budgets]]
name = "all"
limit_usd = "1"
"""


@pytest.fixture
def governor(make_config: Callable[[str], Config]) -> Iterator[Governor]:
    """A gate to be asked about."""
    with Governor(make_config(CONFIG), clock=ManualClock(1_800_000_000.0)) as governor:
        yield governor


@pytest.fixture
def ask(governor: Governor, place: Place) -> Callable[..., Any]:
    """Ask the API about a call."""
    deps = structs.replace(place.deps, config=governor.config, gate=governor, clock=governor.clock)
    client = TestClient(create_app(deps), base_url="http://127.0.0.1:8400")

    def ask(status: int = 200, **said: object) -> Any:  # noqa: ANN401 - JSON
        answer = client.post("/api/admission/explain", json=said)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def test_rules_come_in_the_order_of_asking_with_their_numbers(ask: Callable[..., Any]) -> None:
    """Price, limits, breaker, budgets; money as decimal strings."""
    told = ask(service="llm", model="m", input_tokens=100, max_output_tokens=50)
    assert (told["verdict"], told["rule"], told["sentence"]) == ("pass", None, "It would go now.")
    assert (told["cost_usd"], told["tokens"]) == ("0.0002", 150)
    assert [rule["rule"] for rule in told["rules"]] == [
        "price",
        "requests_per_minute",
        "tokens_per_minute",
        "breaker",
        "all",
    ]
    tokens, budget = told["rules"][2], told["rules"][4]
    assert (tokens["limit"], tokens["used"], tokens["needed"], tokens["remaining"]) == (1000, 0, 150, 1000)
    assert (budget["limit"], budget["reserved"], budget["needed"], budget["remaining"]) == ("1", "0", "0.0002", "1")
    assert not any(rule["decides"] for rule in told["rules"])


def test_a_used_up_limit_decides_and_says_when_it_passes(governor: Governor, ask: Callable[..., Any]) -> None:
    """The deciding rule is marked, with the instant at which the call would pass."""
    for _ in range(2):
        with governor.call("llm", model="m"):
            pass
    told = ask(service="llm", model="m", tokens=1)
    assert (told["verdict"], told["rule"]) == ("refuse", "requests_per_minute")
    assert [rule["rule"] for rule in told["rules"] if rule["decides"]] == ["requests_per_minute"]
    assert told["passes_at"] == "2027-01-15T08:01:00Z"
    assert told["sentence"].endswith("It would pass in 60.0 s, if nothing else changes.")
    told = ask(service="llm", model="m", tokens=1, max_wait="2m")
    assert (told["verdict"], told["wait_ms"]) == ("wait", 60_000.0)


def test_an_open_breaker_decides_with_its_next_probe(governor: Governor, ask: Callable[..., Any]) -> None:
    """State and next trial call are in its row."""
    with pytest.raises(OSError, match="gone"), governor.call("llm", model="m"):
        raise OSError("gone")  # noqa: EM101 - what a broken connection raises
    told = ask(service="llm", model="m")
    row = next(rule for rule in told["rules"] if rule["kind"] == "breaker")
    assert (told["verdict"], row["decides"], row["state"]) == ("refuse", True, "open")
    assert row["next_probe_at"] == told["passes_at"] == "2027-01-15T08:02:00Z"


def test_a_mistake_is_a_400_with_what_is_valid(ask: Callable[..., Any]) -> None:
    """An unknown service lists the known; an unknown key lists the keys."""
    assert ask(400, service="lm")["valid"] == ["llm"]
    assert "max_wait" in ask(400, service="llm", colour="red")["valid"]
    assert ask(400, service="llm", tokens=-1)["key"] == "tokens"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 5000, b'"' + b"x" * 70_000 + b'"'])
def test_a_body_that_is_no_question_is_a_400(place: Place, governor: Governor, body: bytes) -> None:
    """Whatever is sent, it is said what is wanted."""
    app = create_app(structs.replace(place.deps, gate=governor))
    assert TestClient(app).post("/api/admission/explain", content=body).status_code == 400


def test_a_process_without_a_gate_says_so(place: Place) -> None:
    """Pages alone can't tell what a gate would say."""
    answer = place.client().post("/api/admission/explain", json={"service": "openai"})
    assert answer.status_code == 503
