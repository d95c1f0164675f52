from __future__ import annotations

from types import SimpleNamespace

import anthropic
import httpx2
import openai
import pytest

from switchgear import CircuitBreaker
from switchgear.standalone.presets import PRESETS, by_status
from switchgear.testing import ManualClock

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1")


def error(kind: type[openai.APIStatusError | anthropic.APIStatusError], status: int, **headers: str) -> Exception:
    """Return what the provider's client raises."""
    return kind("made up", response=httpx2.Response(status, request=REQUEST, headers=headers), body=None)


def ends(breaker: CircuitBreaker, raised: Exception) -> None:
    """Let one call end with *raised*."""

    def call() -> None:
        raise raised

    with pytest.raises(type(raised)):
        breaker.call(call)


@pytest.mark.parametrize("kind", [openai.APIStatusError, anthropic.APIStatusError])
@pytest.mark.parametrize("preset", ["openai", "anthropic"])
def test_breaker_32_what_the_statuses_of_a_provider_say(
    kind: type[openai.APIStatusError | anthropic.APIStatusError], preset: str
) -> None:
    """The caller's own errors say nothing, 429 throttles, server errors count, each fifth opens."""
    breaker = CircuitBreaker.preset(preset, clock=ManualClock())
    for status in (400, 401, 403, 404, 413, 422, 429):
        ends(breaker, error(kind, status))
    assert breaker.stats().calls == 0
    for status in (500, 502, 503, 529):
        ends(breaker, error(kind, status))
    assert breaker.state == "closed"
    ends(breaker, openai.APIConnectionError(request=REQUEST))
    assert breaker.state == "open"


def test_breaker_32_429_opens_by_its_retry_after_alone() -> None:
    """The circuit is open for what was asked, and for no longer."""
    breaker = CircuitBreaker.preset("openai", clock=ManualClock())
    ends(breaker, error(openai.APIStatusError, 429, **{"retry-after": "7"}))
    assert breaker.state == "open"
    assert breaker.time_remaining == 7


def test_breaker_32_time_outs_and_408_are_failures() -> None:
    """No answer in time is the service's fault."""
    breaker = CircuitBreaker.preset("anthropic", clock=ManualClock())
    ends(breaker, anthropic.APITimeoutError(request=REQUEST))
    ends(breaker, error(anthropic.APIStatusError, 408))
    ends(breaker, TimeoutError())
    assert breaker.stats().failures == 3


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (SimpleNamespace(status_code=200), "success"),
        (SimpleNamespace(status=503), "failure"),
        (SimpleNamespace(code=404), "neutral"),
        (SimpleNamespace(status_code="503"), None),
        (SimpleNamespace(status_code=7), None),
        (SimpleNamespace(response=SimpleNamespace(status_code=429)), "throttled"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "failure"),
        ({"error": {"type": "invalid_request_error"}}, "neutral"),
        ({"error": None, "type": "response"}, None),
        (SimpleNamespace(type="error", error=SimpleNamespace(type="api_error", code=None)), "failure"),
        (SimpleNamespace(type="message_start"), None),
        ("data", None),
        (ConnectionError(), None),
    ],
)
def test_breaker_32_what_answers_and_events_say(thing: object, says: str | None) -> None:
    """By the status wherever it is, and within a stream by the error of an event."""
    assert by_status(thing) == says


@pytest.mark.parametrize(
    ("name", "failures", "recovery"),
    [("pdf_service", 3, 60), ("openai", 5, 120), ("anthropic", 5, 120), ("firecrawl", 3, 300)],
)
def test_presets_have_the_documented_defaults(name: str, failures: int, recovery: float) -> None:
    """The thresholds and times of the four known services; what is said goes before."""
    settings = CircuitBreaker.preset(name).settings
    assert (settings["failure_threshold"], settings["recovery_timeout"]) == (failures, recovery)
    assert (settings["failure_rate"], settings["minimum_calls"]) == (0.5, 10)
    assert CircuitBreaker.preset(name, failure_threshold=9).settings["failure_threshold"] == 9


def test_there_is_no_other_preset() -> None:
    """An unknown name is told with those there are."""
    assert list(PRESETS) == ["anthropic", "firecrawl", "openai", "pdf_service"]
    with pytest.raises(ValueError, match="no preset is called 'opnai'; there are anthropic, firecrawl, openai, pdf"):
        CircuitBreaker.preset("opnai")
