from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest

import switchgear as sg
from switchgear.config import Config
from switchgear.server import Server
from switchgear.tracing import run_trace


@pytest.fixture
def client(make_config: Callable[[str], Config]) -> Iterator[httpx2.Client]:
    """A dashboard of a ledger with a run of two layers, and calls outside of it."""
    text = """
    [server]
    port = 0
    [services.llm]
    kind = "openai"
    base_url = "http://127.0.0.1:9"
    prices = { "m" = { input = "1", output = "2" } }
    """
    with Server(make_config(text)) as server:
        gov = server.governor
        for layer, tokens in (("research", 1000), ("letter", 10)):
            with (
                sg.attribution(run="r-1", layer=layer),
                gov.call("llm", model="m", input_tokens=tokens, max_output_tokens=1),
            ):
                pass
        with gov.call("llm", model="m", input_tokens=5, max_output_tokens=1):
            pass
        with httpx2.Client(base_url=server.url) as made:
            yield made


def test_the_profile_of_a_run_has_its_layers(client: httpx2.Client) -> None:
    """The most expensive first, the same as JSON, and nothing of other calls."""
    told = client.get("/api/profile?run=r-1").json()
    page = client.get("/profile?run=r-1").text

    assert [(share["layer"], share["cost_usd"]) for share in told["items"]] == [
        ("research", "0.001002"),
        ("letter", "0.000012"),
    ]
    assert told["total"]["calls"] == 2
    assert page.index("research") < page.index("letter")
    assert 'href="/api/profile?run=r-1"' in page
    assert client.get("/api/profile").json()["total"]["calls"] == 3


def test_a_profile_of_nothing_says_so(client: httpx2.Client) -> None:
    """And an unknown key is an error that lists those there are."""
    assert "No such calls" in client.get("/profile?run=nothing").text
    assert client.get("/api/profile?nothing=1").status_code == 400


def test_a_run_is_a_trace_of_its_layers(client: httpx2.Client) -> None:
    """By its name or its id: each layer above its calls; a call without a run is a trace of its own."""
    page = client.get("/traces/r-1").text
    told = client.get(f"/traces/{run_trace('r-1')}.json").json()

    assert [layer["layer"] for layer in told["layers"]] == ["research", "letter"]
    assert (told["calls"], told["cost_usd"], told["runs"]) == (2, "0.001014", ["r-1"])
    assert page.count(">layer<") == 2
    assert 'href="/profile?run=r-1"' in page
