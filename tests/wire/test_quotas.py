from __future__ import annotations

import pytest

from switchgear.calls import Quota
from switchgear.wire.quotas import quotas_of

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def _openai(remaining: str = "59", reset: str = "1s") -> list[tuple[str, str]]:
    return [("X-RateLimit-Remaining-Requests", remaining), ("X-RateLimit-Reset-Requests", reset)]


def test_openai_says_requests_and_tokens() -> None:
    """Both limits are read, durations as OpenAI writes them."""
    headers = [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("content-type", "application/json"),
    ]
    assert quotas_of(headers, NOW) == (
        Quota(unit="requests", remaining=59, resets_in=1.0, limit=60),
        Quota(unit="tokens", remaining=149_984, resets_in=360.0, limit=150_000),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20ms", 0.02), ("1m30.951s", 90.951), ("1h2m3s", 3723.0), ("1d", 86_400.0), ("0s", 0.0), ("12.5s", 12.5)],
)
def test_durations_are_read_as_written(text: str, seconds: float) -> None:
    """Every unit, and sums of them, with fractions."""
    (quota,) = quotas_of(_openai(reset=text), NOW)
    assert quota.resets_in == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers", [_openai("-1"), _openai("x"), _openai(reset="soon"), _openai(reset=""), _openai()[:1]]
)
def test_garbage_says_nothing(headers: list[tuple[str, str]]) -> None:
    """Negative and unreadable numbers, and halves of a statement, are ignored."""
    assert quotas_of(headers, NOW) == ()


def test_anthropic_says_instants() -> None:
    """RFC 3339 resets become seconds from now; what is past is now, what is garbage is nothing."""
    headers = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2027-01-15T08:00:12Z"),
        ("anthropic-ratelimit-tokens-remaining", "1000"),
        ("anthropic-ratelimit-tokens-reset", "2027-01-15T07:59:00"),
    ]
    assert quotas_of(headers, NOW) == (
        Quota(unit="requests", remaining=0, resets_in=12.0, limit=50),
        Quota(unit="tokens", remaining=1000, resets_in=0.0),
    )
    assert quotas_of([headers[1], ("anthropic-ratelimit-requests-reset", "tomorrow")], NOW) == ()


def test_of_anthropics_input_and_output_tokens_the_smaller_rest_counts() -> None:
    """Where there is no limit on both together, the one with less left is taken."""
    headers = [
        ("anthropic-ratelimit-input-tokens-remaining", "40000"),
        ("anthropic-ratelimit-input-tokens-reset", "2027-01-15T08:00:30Z"),
        ("anthropic-ratelimit-output-tokens-remaining", "8000"),
        ("anthropic-ratelimit-output-tokens-reset", "2027-01-15T08:01:00Z"),
    ]
    assert quotas_of(headers, NOW) == (Quota(unit="tokens", remaining=8000, resets_in=60.0),)


def test_other_answers_say_nothing() -> None:
    """Without such headers there is nothing to hold to."""
    assert quotas_of([("content-type", "text/plain"), ("retry-after", "5")], NOW) == ()
