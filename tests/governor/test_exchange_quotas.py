from __future__ import annotations

import pytest

from switchgear.calls import Quota
from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.errors import RateLimited
from switchgear.governor.asked import Asked
from switchgear.governor.exchange import Exchange
from switchgear.governor.rules import service_rules

BODY = b'{"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}'


def test_limiter_28_the_headers_of_an_answer_reach_the_limiter(governor: Governor) -> None:
    """An answer that says nothing remains makes the next call wait, or be refused, until the reset."""
    exchange = Exchange(governor, "llm", Asked(method="POST", path="/v1/chat/completions", body=BODY))
    admitted = governor.admit(exchange.call)
    exchange.begin(
        200,
        [
            ("content-type", "application/json"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "12s"),
        ],
    )
    exchange.feed(b'{"usage": {"prompt_tokens": 1, "completion_tokens": 1}}')
    exchange.end()
    outcome = exchange.ended(admitted)
    assert outcome.quotas == (Quota(unit="requests", remaining=0, resets_in=12.0),)
    governor.settle(admitted, outcome)

    with pytest.raises(RateLimited, match="the provider asks to wait") as caught:
        governor.admit(exchange.again().call, max_wait_us=0)
    assert caught.value.retry_after == 12.0


@pytest.mark.parametrize(("day", "zone"), [("rolling", None), ("calendar", "Europe/Vienna")])
def test_limiter_24_the_configuration_says_what_a_day_is(day: str, zone: str | None) -> None:
    """Limits per day roll by default, or are cut in the reporting time zone; those per minute roll always."""
    config = load_text(
        f"""
        [server]
        reporting_timezone = "Europe/Vienna"
        [services.x]
        base_url = "http://127.0.0.1:9"
        limits = {{ requests_per_minute = 5, requests_per_day = 9, tokens_per_day = 90, day = "{day}" }}
        """
    )
    zones = {rule.name: rule.timezone for rule in service_rules(config)["x"].limits}
    assert zones == {"requests_per_minute": None, "requests_per_day": zone, "tokens_per_day": zone}
