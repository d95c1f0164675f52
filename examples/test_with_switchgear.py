"""Tests of your own code, with Switchgear in them: no network, no keys, no waiting.

Run: pytest examples/test_with_switchgear.py
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openai import APIStatusError, OpenAI

import switchgear as sg
from switchgear.testing import fake_provider, governor, open_breaker

SETTINGS = """
[services.openai]
retry = { attempts = 3, backoff = "1s" }

[[budgets]]
name = "each-job"
each = "job"
limit_usd = "0.0002"
"""


def summarise(client: OpenAI, text: str) -> str:
    """Your code: it knows of OpenAI's SDK alone."""
    try:
        answer = client.chat.completions.create(
            model="gpt-4o-mini", max_tokens=50, messages=[{"role": "user", "content": f"Summarise: {text}"}]
        )
    except APIStatusError as error:
        return f"no summary ({error.status_code})"
    return answer.choices[0].message.content or ""


@pytest.fixture
def gov() -> Iterator[sg.Governor]:
    """A governor in memory, on a clock on which waiting takes no time."""
    with governor(SETTINGS) as one:
        yield one


@pytest.fixture
def client(gov: sg.Governor) -> Iterator[OpenAI]:
    """The SDK, with a fake provider behind the gate."""
    with fake_provider(gov), OpenAI(api_key="none", http_client=gov.http_client("openai"), max_retries=0) as one:
        yield one


def test_a_summary_comes_back(client: OpenAI) -> None:
    """The fake provider answers as the real one would, with exact usage."""
    assert summarise(client, "a long story")


def test_an_open_breaker_costs_no_exception(client: OpenAI, gov: sg.Governor) -> None:
    """While the provider is known to be down, your code does what you want it to."""
    with open_breaker(gov, "openai"):
        assert summarise(client, "a long story") == "no summary (503)"
    assert summarise(client, "a long story") != "no summary (503)"


def test_an_overload_is_waited_out(gov: sg.Governor) -> None:
    """Two overloads and a wait of minutes, in no time."""
    with fake_provider(gov) as provider:
        provider.fault("status=529;retry_after=15", times=2)
        before = gov.clock.monotonic()
        with OpenAI(api_key="none", http_client=gov.http_client("openai")) as client:
            summary = summarise(client, "a long story")
    assert summary
    assert gov.clock.monotonic() - before >= 30
    assert len(provider.requests) == 3


def test_an_answer_of_your_own(gov: sg.Governor) -> None:
    """What the model says is up to you."""
    said = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Short."}}]}
    with fake_provider(gov) as provider:
        provider.reply(json={"model": "gpt-4o-mini", **said, "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
        with OpenAI(api_key="none", http_client=gov.http_client("openai")) as client:
            assert summarise(client, "a long story") == "Short."


def test_a_job_cannot_spend_more_than_its_budget(client: OpenAI) -> None:
    """A runaway job is stopped, and another one is not."""
    with sg.attribution(job="runaway"):
        answers = [summarise(client, "word " * 200) for _ in range(9)]
    with sg.attribution(job="modest"):
        assert summarise(client, "a story") != "no summary (402)"
    assert "no summary (402)" in answers
