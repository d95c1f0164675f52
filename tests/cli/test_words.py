from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from switchgear.cli.words import (
    breaker_story,
    clock_time,
    limit_text,
    outcome_cell,
    share,
    span,
    tokens,
    usd,
)

NOW = dt.datetime(2026, 11, 24, 13, 3, 7, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.12, "120 ms"),
        (0.9996, "1.0 s"),
        (2.14, "2.1 s"),
        (9.97, "10 s"),
        (41, "41 s"),
        (59.6, "1 min"),
        (240, "4 min"),
        (3 * 3600, "3 h"),
        (86400 * 3 + 5, "3 d"),
    ],
)
def test_a_span_has_its_largest_unit(seconds: float | None, text: str) -> None:
    """Spans are short, and never `1000 ms` or `60 s`."""
    assert span(seconds) == text


def test_numbers_of_nothing_are_a_dash() -> None:
    """What is not known is `-`, and zero is zero."""
    assert (usd(None), usd("0"), tokens(None), tokens(0)) == ("-", "$0.00", "-", "0")


def test_a_share_says_its_percentage() -> None:
    """A part is told with its percentage where there is one."""
    assert (share(3, 412), share(0, 412), share(0, 0)) == ("3 (0.7 %)", "0", "0")


def test_a_time_of_another_day_has_its_date() -> None:
    """Times are in the reporting time zone; the date is left out only for today there."""
    zone = ZoneInfo("Europe/Vienna")

    assert clock_time("2026-11-24T12:00:00Z", zone, NOW) == "13:00:00"
    assert clock_time("2026-11-23T22:30:00Z", zone, NOW) == "2026-11-23 23:30:00"
    assert clock_time(None, zone, NOW) == "-"


@pytest.mark.parametrize(
    ("breaker", "story"),
    [
        ({"state": "closed"}, "traffic flows"),
        ({"state": "open", "next_probe_at": "2026-11-24T13:03:48Z"}, "refusing calls, next probe in 41 s"),
        ({"state": "open", "next_probe_at": "2026-11-24T13:03:00Z"}, "the next call is a probe"),
        ({"state": "half_open", "probes": 1, "max_probes": 3}, "1 of 3 trial calls under way"),
        ({"state": "forced_open"}, "refusing calls until an operator closes it"),
        ({"state": "disabled"}, "traffic flows unguarded"),
    ],
)
def test_a_breaker_says_what_its_state_means(breaker: dict[str, Any], story: str) -> None:
    """Nobody has to know that closed is good."""
    assert breaker_story(breaker, NOW) == story


def test_a_limit_is_used_of_all() -> None:
    """A limit is told as used/all with its unit."""
    assert limit_text({"rule": "tokens_per_minute", "used": 71000, "limit": 90000}) == "71,000/90,000 tok/min"


@pytest.mark.parametrize(
    ("status", "reason", "word"),
    [
        ("ok", None, "ok"),
        ("reserved", None, "in flight"),
        ("refused", "budget", "refused: budget"),
        ("refused", "rate_limit", "refused: rate limit"),
        ("refused", "skip", "skipped: budget"),
    ],
)
def test_an_outcome_names_its_rule(status: str, reason: str | None, word: str) -> None:
    """A refusal says which kind of rule it was."""
    assert outcome_cell(status, reason).text == word
