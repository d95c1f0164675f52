from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Place


def _get(place: Place, address: str) -> dict[str, Any]:
    answer = place.client().get(address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_usage_by_service_is_the_whole_ledger(full: Place) -> None:
    """Without a query it is everything, by service; the items add up to the total."""
    found = _get(full, "/api/usage")
    (ledger,) = full.deps.reader.totals()

    assert [item["group"]["service"] for item in found["items"]] == ["anthropic", "firecrawl", "local", "openai"]
    assert (found["metric"], found["by"], found["bucket"], found["timezone"]) == (
        "cost",
        ["service"],
        "none",
        "Europe/Vienna",
    )
    assert sum(item["calls"] for item in found["items"]) == found["total"]["calls"] == ledger.calls
    assert sum(Decimal(item["cost_usd"]) for item in found["items"]) == Decimal(found["total"]["cost_usd"])
    assert Decimal(found["total"]["cost_usd"]) * 10**9 == ledger.cost
    assert (found["total"]["unpriced"], found["not_kept"], found["next"]) == (1, 0, None)


def test_a_row_has_what_is_promised(full: Place) -> None:
    """Programs outside rely on these names; money is text, times are UTC, the label is local."""
    (item,) = _get(full, "/api/usage?by=service&bucket=day&service=local&from=2026-11-24&metric=tokens_in")["items"]

    assert list(item) == [
        "calls",
        "ok",
        "failed",
        "refused",
        "cancelled",
        "orphaned",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_usd",
        "unpriced",
        "estimated",
        "start",
        "end",
        "label",
        "group",
        "value",
    ]
    assert isinstance(item["cost_usd"], str)
    assert item["value"] == item["input_tokens"]
    assert (item["start"], item["label"]) == ("2026-11-23T23:00:00Z", "2026-11-24")


@pytest.mark.parametrize("by", ["service,model", "provider", "layer", "status", "job", "run", "tag.team", "key,job"])
def test_csv_has_the_same_numbers(full: Place, by: str) -> None:
    """Either way each group has the same calls and cost, and the total is the same."""
    query = f"/api/usage?by={by}&bucket=day&tz=Asia/Kathmandu"
    found = _get(full, query)

    answer = full.client().get(f"{query}&format=csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["content-type"].startswith("text/csv")
    assert [(line["calls"], line["cost_usd"]) for line in lines] == [
        (str(item["calls"]), item["cost_usd"]) for item in [*found["items"], found["total"]]
    ]


def test_usage_has_pages(full: Place) -> None:
    """Following ``next`` gives every row once."""
    whole = _get(full, "/api/usage?by=model&bucket=hour")
    first = _get(full, "/api/usage?by=model&bucket=hour&limit=10")
    second = _get(full, f"/api/usage?by=model&bucket=hour&limit=1000&after={first['next']}")

    assert [*first["items"], *second["items"]] == whole["items"]
    assert first["total"] == second["total"] == whole["total"]


@pytest.mark.parametrize(
    ("query", "key", "told"),
    [
        ("by=modle", "by", "tag.<name>"),
        ("by=model,model", "by", "twice"),
        ("bucket=year", "bucket", "15min"),
        ("metric=money", "metric", "tokens_in"),
        ("from=soon", "from", "2026-11-24"),
        ("from=2026-11-24&to=2026-11-01", "to", "not after"),
        ("tz=Vienna", "tz", "Europe/Vienna"),
        ("format=xml", "format", "csv"),
        ("limit=0", "limit", "greater than or equal to 1"),
        ("after=nonsense", "after", "next"),
        ("srvice=x", "srvice", "service"),
    ],
)
def test_a_wrong_question_is_refused_with_the_valid_ones(full: Place, query: str, key: str, told: str) -> None:
    """400 as problem+json, which names the key and what it may be."""
    answer = full.client().get(f"/api/usage?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["key"] == key
    assert told in answer.json()["detail"]


def test_a_new_ledger_has_no_usage(empty: Place) -> None:
    """No rows and zeros, whatever is asked."""
    found = _get(empty, "/api/usage?by=job,model&bucket=hour&from=2026-11-24")

    assert (found["items"], found["total"]["calls"], found["total"]["cost_usd"]) == ([], 0, "0")
