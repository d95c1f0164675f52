from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Place


def test_a_money_budget_speaks_decimal_text(full: Place) -> None:
    """Limit, spent, reserved and remaining are exact, and say what the budget does."""
    items = full.client().get("/api/budgets").json()["items"]

    found = next(item for item in items if item["name"] == "anthropic-month")
    assert {
        "limit_usd": "50",
        "spent_usd": "41.5",
        "reserved_usd": "2.12",
        "remaining_usd": "6.38",
        "limit_tokens": None,
        "used_percent": 83.0,
        "state": "warning",
        "kind": "fail",
        "kind_words": "Hard limit",
        "unit": "usd",
        "match": {"service": "anthropic"},
        "period": "month",
        "resets_at": "2026-11-30T23:03:07Z",
        "unpriced_calls": 3,
        "reserve": "worst_case",
        "value": None,
    }.items() <= found.items()


def test_each_value_of_a_template_is_its_own_budget(full: Place) -> None:
    """A budget with ``each`` has an item for every job."""
    items = full.client().get("/api/budgets").json()["items"]

    values = {item["value"]: item["state"] for item in items if item["name"] == "job-default"}
    assert values == {"acme-42": "ok", "beta-7": "critical"}


def test_breakers_tell_state_and_next_probe(full: Place) -> None:
    """What an operator needs at three in the morning."""
    items = full.client().get("/api/breakers").json()["items"]

    firecrawl = next(item for item in items if item["service"] == "firecrawl")
    assert firecrawl["state"] == "open"
    assert firecrawl["next_probe_at"] == "2026-11-24T13:03:48Z"
    assert firecrawl["reason"] == "3 failures in a row (threshold 3)"


def test_limits_tell_use_and_queue(full: Place) -> None:
    """Used of limit, and who waits."""
    items = full.client().get("/api/limits").json()["items"]

    busy = next(item for item in items if item["rule"] == "requests_per_minute" and item["service"] == "openai")
    assert (busy["used"], busy["limit"], busy["used_percent"], busy["waiting"]) == (56, 60, 93.3, 2)


def test_services_are_in_the_order_of_the_configuration(full: Place) -> None:
    """Each with its breaker and limits, and no address or key of the upstream."""
    answer = full.client().get("/api/services")

    assert [item["name"] for item in answer.json()["items"]] == ["openai", "anthropic", "firecrawl", "local"]
    assert "secret" not in answer.text


@pytest.mark.parametrize("noun", ["budgets", "breakers", "limits", "services", "metrics"])
def test_a_query_that_means_nothing_is_refused(full: Place, noun: str) -> None:
    """A filter that is not there is said to be not there."""
    answer = full.client().get(f"/api/{noun}?state=open")

    assert (answer.status_code, answer.json()["valid"]) == (400, [])


def test_metrics_are_the_snapshot(full: Place) -> None:
    """The same numbers, with a version."""
    found = full.client().get("/api/metrics").json()

    assert (found["version"], found["timezone"]) == (1, "Europe/Vienna")
    assert found["today"]["unpriced"] == 1
    assert found["breaker_states"] == {"closed": 2, "half_open": 1, "open": 1}


def test_every_address_of_the_api_is_described(full: Place) -> None:
    """The OpenAPI document names every route, its answer, and no schema that is not there."""
    document = full.client().get("/openapi.json").json()

    nouns = (
        "health",
        "metrics",
        "calls",
        "budgets",
        "breakers",
        "limits",
        "services",
        "usage",
        "costs",
        "forecast",
        "events",
        "keys",
        "alerts",
        "runs",
        "pipelines",
        "applications",
    )
    wanted = {f"/api/{noun}" for noun in nouns}
    parts = {
        "/api/admission/explain",
        "/api/alerts/ack",
        "/api/alerts/channels/{name}/test",
        "/api/alerts/silences",
        "/api/alerts/silences/{silence_id}",
        "/api/config",
        "/api/config/reload",
        "/api/breakers/{service}",
        "/api/budgets/{name}/limit",
        "/api/calls/{call_id}",
        "/api/applications/stats",
        "/api/applications/{name}",
        "/api/applications/{name}/notes",
        "/api/applications/{name}/status",
        "/api/events.csv",
        "/api/profile",
        "/api/runs/{run}",
        "/api/runs/{run}/cancel",
        "/api/runs/{run}/pause",
        "/api/runs/{run}/resume",
        "/api/runs/{run}/retry",
        "/api/runs/{run}/log",
        "/api/runs/{run}/artefacts/{name}",
    }
    assert wanted | parts | {"/metrics", "/healthz", "/readyz"} == set(document["paths"])
    text = full.client().get("/openapi.json").text
    schemas = document["components"]["schemas"]
    assert {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]} <= set(schemas)
    assert {each["name"] for each in document["paths"]["/api/calls"]["get"]["parameters"]} >= {"from", "to", "after"}
    assert schemas["CallItem"]["properties"]["cost_usd"]["anyOf"][0] == {"type": "string", "format": "decimal"}
