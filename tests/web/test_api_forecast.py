from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Place


def _get(place: Place, address: str) -> dict[str, Any]:
    answer = place.client().get(address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_budgets_of_the_calendar_have_forecasts(full: Place) -> None:
    """A day of history makes a rate without a band; total budgets are left out."""
    items = _get(full, "/api/forecast")["items"]

    assert [(item["budget"], item["unit"]) for item in items] == [("all-tokens", "tokens"), ("anthropic-month", "usd")]
    for item in items:
        assert item["interval"] is None
        assert item["note"] == "too little history for an interval"
        assert item["method"] == "run rate"
    tokens, money = items
    assert tokens["expected_tokens"] >= tokens["spent_tokens"]
    assert money["exhaustion"] in {"in this period", "not this period"}
    assert (money["spent_usd"], money["limit_usd"], money["unpriced_calls"]) == ("41.5", "50", 3)


def test_nothing_is_invented(empty: Place) -> None:
    """Without calls there is no number, and the note says why."""
    (item,) = _get(empty, "/api/forecast")["items"]

    assert item["note"] == "too little history"
    assert (item["expected_usd"], item["interval"], item["method"], item["exhaustion"]) == (None, None, None, None)


def test_forecasts_have_pages_and_a_filter(full: Place) -> None:
    """One account at a time joins to all of them; one budget can be asked for."""
    first = _get(full, "/api/forecast?limit=1")
    second = _get(full, f"/api/forecast?limit=1&after={first['next']}")

    assert [page["items"][0]["budget"] for page in (first, second)] == ["all-tokens", "anthropic-month"]
    assert second["next"] is None
    assert _get(full, "/api/forecast?budget=anthropic-month")["items"] == second["items"]
    assert _get(full, "/api/forecast?budget=job-default")["items"] == []
    assert _get(full, "/api/forecast?value=acme-42")["items"] == []


@pytest.mark.parametrize(
    ("query", "key", "told"),
    [
        ("budget=no", "budget", "anthropic-month"),
        ("after=no", "after", "next"),
        ("limit=101", "limit", "100"),
        ("name=x", "name", "budget"),
    ],
)
def test_a_wrong_question_is_refused_with_the_valid_ones(full: Place, query: str, key: str, told: str) -> None:
    """400 as problem+json, which names the key and what it may be."""
    answer = full.client().get(f"/api/forecast?{query}")

    assert (answer.status_code, answer.json()["key"]) == (400, key)
    assert told in answer.json()["detail"]
