"""Budgets on the way of an HTTP request: the model that goes out, and the answer that is stopped."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from switchgear.clients.async_transport import AsyncGovernedTransport
from switchgear.clients.governor import Governor
from switchgear.clients.transport import GovernedTransport
from switchgear.config import Config
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.testing import FakeProvider, ManualClock

CONFIG = """
[services.llm]
kind = "openai"
base_url = "http://llm.test"
max_output_tokens = 20
limits = { requests_per_minute = 1000, tokens_per_minute = 1000000 }
retry = { attempts = 2, backoff = "1s" }
fallback = ["other"]
prices = { "big" = { input = "0", output = "10000" }, "small" = { input = "0", output = "100" } }

[services.other]
kind = "openai"
base_url = "http://other.test"
max_output_tokens = 20
prices = { "big" = { input = "0", output = "10000" }, "small" = { input = "0", output = "200" } }

[services.claude]
kind = "anthropic"
base_url = "http://claude.test"
prices = { "big" = { input = "0", output = "10000" }, "small" = { input = "0", output = "100" } }

[[budgets]]
name = "big"
match = { model = "big", job = "degrade" }
limit_usd = "0.3"
action = "degrade"
degrade_to = "small"

[[budgets]]
name = "hard"
match = { job = "hard" }
limit_usd = "0.25"

[[budgets]]
name = "watched"
match = { job = "watched" }
limit_usd = "0.01"
action = "warn"
"""

MESSAGES = [{"role": "user", "content": "hello"}]


class Caller:
    """Sends to a governed transport, sync or async."""

    def __init__(self, governor: Governor, provider: FakeProvider, *, is_async: bool) -> None:
        self.governor = governor
        self.provider = provider
        self.is_async = is_async

    def post(
        self, body: bytes | dict[str, Any], *, job: str, path: str = "/llm/v1/chat/completions"
    ) -> httpx2.Response:
        """Send *body* and read the answer to its end."""
        _, service, rest = path.split("/", 2)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"{self.governor.service(service).base_url}/{rest}"
        headers = {"x-switchgear-job": job, "content-type": "application/json"}
        request = httpx2.Request("POST", url, content=content, headers=headers)
        if self.is_async:
            return asyncio.run(self._apost(service, request))
        transport = GovernedTransport(self.governor, service, inner=self.provider, draw=lambda: 0.0)
        response = transport.handle_request(request)
        response.read()
        response.close()
        return response

    async def _apost(self, service: str, request: httpx2.Request) -> httpx2.Response:
        transport = AsyncGovernedTransport(self.governor, service, inner=self.provider, draw=lambda: 0.0)
        response = await transport.handle_async_request(request)
        await response.aread()
        await response.aclose()
        return response

    def rows(self) -> list[CallRow]:
        """Return the ledger's rows, oldest first."""
        return list(reversed(self.governor.ledger.reader.calls(CallFilter()).items))

    def spent(self, budget: str) -> tuple[int, int]:
        """Return what a budget has spent and holds, in thousandths of a USD."""
        views = self.governor.state.budgets(self.governor.clock.moment())
        return next((one.spent // 1_000_000, one.reserved // 1_000_000) for one in views if one.budget == budget)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def caller(
    request: pytest.FixtureRequest, make_config: Callable[[str], Config], clock: ManualClock
) -> Iterator[Caller]:
    """A caller of each colour."""
    with Governor(make_config(CONFIG), clock=clock) as governor:
        yield Caller(governor, FakeProvider(), is_async=request.param)


def test_budget_08_a_request_goes_out_with_the_cheaper_model(caller: Caller) -> None:
    """Only the model's name changes on the wire; the answer's head and the ledger say from which."""
    body = (
        b'{ "messages":[{"role":"user","content":"\\u00e9 \\"model\\":\\"big\\""}] , "model" : "big","max_tokens":20}'
    )
    first, second = caller.post(body, job="degrade"), caller.post(body, job="degrade")
    sent = [one.content for one in caller.provider.requests]
    assert sent == [body, body.replace(b'"model" : "big"', b'"model" : "small"')]
    assert "x-switchgear-degraded-from" not in first.headers
    assert second.headers["x-switchgear-degraded-from"] == "big"
    assert second.json()["model"] == "small"
    assert int(caller.provider.requests[1].headers["content-length"]) == len(sent[1])
    assert [(row.model, row.degraded_from) for row in caller.rows()] == [("big", None), ("small", "big")]


def test_budget_08_a_message_is_degraded_too(caller: Caller) -> None:
    """Anthropic's requests name their model in the same place."""
    body = {"model": "big", "max_tokens": 20, "messages": MESSAGES}
    for _ in range(2):
        caller.post(body, job="degrade", path="/claude/v1/messages")
    assert [json.loads(one.content)["model"] for one in caller.provider.requests] == ["big", "small"]


def test_budget_08_a_degraded_call_stays_so_over_retries_and_fallbacks(caller: Caller) -> None:
    """The next attempts are of the cheaper model, each its own row with its own cost."""
    body = {"model": "big", "max_tokens": 20, "messages": MESSAGES}
    caller.post(body, job="degrade")
    caller.provider.fault("status=500", times=2)
    answer = caller.post(body, job="degrade")
    assert answer.headers["x-switchgear-degraded-from"] == "big"
    found = [(row.service, row.attempt, row.model, row.degraded_from, row.cost) for row in caller.rows()[1:]]
    assert found == [
        ("llm", 1, "small", "big", 0),
        ("llm", 2, "small", "big", 0),
        ("other", 3, "small", "big", 16 * 200_000),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/llm/v1/openai/deployments/big/chat/completions", {"max_tokens": 20, "messages": MESSAGES}),
        ("/llm/v1/openai/deployments/big/chat/completions", {"model": None, "max_tokens": 20, "messages": MESSAGES}),
    ],
)
def test_budget_08_a_request_that_names_its_model_in_its_path_is_refused(
    caller: Caller, path: str, body: dict[str, Any]
) -> None:
    """Where the body has no model to change nothing is guessed."""
    caller.governor.set_budget("big", limit_usd="0.1", by="ada")
    answer = caller.post(body, job="degrade", path=path)
    assert (answer.status_code, caller.provider.requests) == (402, [])
    assert answer.json()["switchgear"]["rule"] == "big"


def test_budget_12_a_stream_that_passes_what_there_is_is_stopped(caller: Caller) -> None:
    """It is ended by an error in the provider's shape at the first token beyond, and settled at an estimate."""
    caller.provider.fault("output=400")
    answer = caller.post({"model": "big", "stream": True, "messages": MESSAGES}, job="hard")
    *content, last = [line for line in answer.text.splitlines() if line]
    error = json.loads(last.removeprefix("data: "))
    assert (error["error"]["code"], error["switchgear"]["rule"]) == ("budget_exceeded", "hard")
    assert "has no room for this call" in error["error"]["message"]
    assert sum('"content":' in line or '"content": ' in line for line in content) <= 22
    (row,) = caller.rows()
    assert (row.status, row.error, row.estimated) == ("cancelled", "stopped by budget hard", True)
    assert 20 < row.output_tokens < 40
    assert caller.spent("hard") == (row.output_tokens * 10, 0)
    breaker = caller.governor.state.breakers(caller.governor.clock.moment())[1]
    assert (breaker.service, breaker.calls) == ("llm", 0)


def test_budget_12_responses_are_stopped_in_their_own_shape(caller: Caller) -> None:
    """The responses API has error events with a name."""
    caller.provider.fault("output=400")
    answer = caller.post({"model": "big", "stream": True, "input": "hello"}, job="hard", path="/llm/v1/responses")
    name, data = answer.text.rstrip().splitlines()[-2:]
    assert name == "event: error"
    error = json.loads(data.removeprefix("data: "))
    assert (error["type"], error["code"], error["switchgear"]["reason"]) == ("error", "budget_exceeded", "budget")


def test_budget_12_a_stream_goes_on_where_there_is_room(caller: Caller) -> None:
    """Beyond its reservation it holds more, and is settled at the provider's own count."""
    caller.provider.fault("output=200")
    caller.governor.set_budget("hard", limit_usd="10", by="ada")
    answer = caller.post({"model": "big", "stream": True, "messages": MESSAGES}, job="hard")
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert (caller.rows()[0].status, caller.spent("hard")) == ("ok", (2000, 0))


@pytest.mark.parametrize("job", ["watched", "nobody"])
def test_budget_12_no_budget_stops_what_it_does_not_hold(caller: Caller, job: str) -> None:
    """A budget that only warns, or none, lets the stream run to its end."""
    caller.provider.fault("output=200")
    answer = caller.post({"model": "big", "stream": True, "messages": MESSAGES}, job=job)
    assert answer.text.rstrip().endswith("data: [DONE]")


def test_budget_12_a_stream_within_its_maximum_is_never_asked_about(caller: Caller) -> None:
    """Up to the last token that was reserved nothing is stopped, on a budget with room for just that."""
    caller.provider.fault("output=400")
    body = {"model": "big", "stream": True, "max_tokens": 25, "messages": MESSAGES}
    answer = caller.post(body, job="hard")
    assert answer.text.rstrip().endswith("data: [DONE]")
    assert caller.spent("hard") == (250, 0)


def test_budget_12_a_compressed_stream_breaks_off(caller: Caller) -> None:
    """Nothing can be written into it, so it just ends; it is settled as stopped all the same."""
    event = b'data: {"choices":[{"delta":{"content":"word and word"}}]}\n\n'
    body = {
        "model": "big",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": MESSAGES,
    }
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    caller.provider.reply(content=gzip.compress(event * 60), headers=headers)
    caller.post(body, job="hard")
    (row,) = caller.rows()
    assert (row.status, row.error) == ("cancelled", "stopped by budget hard")
