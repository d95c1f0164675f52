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


def test_the_running_month_is_the_usual_report(full: Place) -> None:
    """Six parts, each of which adds up to the total, which is that of the metrics."""
    found = _get(full, "/api/costs")
    month = full.deps.collector.snapshot().month

    assert found["period"] == "2026-11"
    assert (found["since"], found["until"]) == ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z")
    assert [part["by"] for part in found["parts"]] == [
        [name] for name in ("service", "provider", "model", "layer", "job", "key")
    ]
    assert Decimal(found["total"]["cost_usd"]) == month.cost_usd
    assert found["total"]["unpriced"] == month.unpriced == 1
    for part in found["parts"]:
        assert sum(Decimal(row["cost_usd"]) for row in part["rows"]) == month.cost_usd
    assert sum(row["calls"] for row in found["series"]) == month.calls


def test_a_day_by_model_and_layer(full: Place) -> None:
    """One part by what was asked, all groups up to the limit; the others are its rest."""
    found = _get(full, "/api/costs?day=2026-11-24&by=model,layer&limit=1")
    (part,) = found["parts"]

    assert part["by"] == ["model", "layer"]
    assert list(part["rows"][0]["group"]) == ["model", "layer"]
    assert len(part["rows"]) == 1
    assert part["rows"][0]["calls"] + part["rest"]["calls"] == found["total"]["calls"]


def test_csv_has_the_same_numbers(full: Place) -> None:
    """Every group of every part, then the total."""
    found = _get(full, "/api/costs?month=2026-11")
    answer = full.client().get("/api/costs?month=2026-11&format=csv")

    lines = list(csv.DictReader(io.StringIO(answer.text)))
    rows = [row for part in found["parts"] for row in part["rows"]]
    assert [line["cost_usd"] for line in lines] == [row["cost_usd"] for row in [*rows, found["total"]]]
    assert answer.headers["content-disposition"] == 'attachment; filename="costs.csv"'


@pytest.mark.parametrize(
    ("query", "key", "told"),
    [
        ("month=November", "month", "2026-11"),
        ("day=2026-11", "day", "2026-11-24"),
        ("month=2026-11&day=2026-11-24", "day", "one of"),
        ("to=2026-11-24", "from", "beginning"),
        ("from=2026-11-24&to=2026-11-23", "to", "not after"),
        ("by=colour", "by", "provider"),
        ("year=2026", "year", "month"),
    ],
)
def test_a_wrong_question_is_refused_with_the_valid_ones(full: Place, query: str, key: str, told: str) -> None:
    """400 as problem+json, which names the key and what it may be."""
    answer = full.client().get(f"/api/costs?{query}")

    assert (answer.status_code, answer.json()["key"]) == (400, key)
    assert told in answer.json()["detail"]
