from __future__ import annotations

import csv
import datetime as dt
import io
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.web.conftest import DAY, NOW_US

from switchgear.calls import Attribution

if TYPE_CHECKING:
    from tests.web.conftest import Place


def _text(place: Place, address: str, status: int = 200) -> str:
    answer = place.client().get(address, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text).replace("&nbsp;", " "))


def _rows(place: Place) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(place.file)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT started_at, service, cost, status FROM attempts").fetchall()


def test_the_page_has_an_empty_state(empty: Place) -> None:
    """Before the first call the page says what will be on it, and draws no chart of nothing."""
    text = _text(empty, "/usage")
    assert "Nothing used yet" in text
    assert "switchgear demo" in text


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "Asia/Kathmandu"])
def test_each_day_equals_the_ledger(full: Place, zone: str) -> None:
    """The cost of each day, and the total, is what an independent sum over the rows gives, days cut where asked."""
    tz = ZoneInfo(zone)
    independent: dict[str, int] = {}
    for row in _rows(full):
        if row["status"] != "reserved":
            day = f"{dt.datetime.fromtimestamp(row['started_at'] / 1e6, tz):%Y-%m-%d}"
            independent[day] = independent.get(day, 0) + (row["cost"] or 0 if row["status"] != "refused" else 0)
    answer = full.client().get("/usage.json", params={"range": "7d", "by": "service", "tz": zone}).json()
    found: dict[str, Decimal] = {}
    for item in answer["items"]:
        found[item["label"]] = found.get(item["label"], Decimal(0)) + Decimal(item["cost_usd"])
    assert {day: int(cost * 10**9) for day, cost in found.items()} == independent
    assert int(Decimal(answer["total"]["cost_usd"]) * 10**9) == sum(independent.values())


def test_csv_has_the_same_numbers(full: Place) -> None:
    """The CSV beside the page ends with the total that the JSON has."""
    address = "range=7d&by=model"
    total = full.client().get(f"/usage.json?{address}").json()["total"]["cost_usd"]
    rows = list(csv.DictReader(io.StringIO(full.client().get(f"/usage.csv?{address}").text)))
    assert rows[-1]["row"] == "total"
    assert rows[-1]["cost_usd"] == total


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("metric=love", "one of cost, tokens_in"),
        ("by=colour", "service"),
        ("by=service,model", "not one group"),
        ("bucket=year", "one of 15min, hour, day, week, month"),
        ("range=1y", "one of 1h, 24h, 7d, 30d, 90d, month"),
        ("range=7d&from=2026-11-01", "goes without from and to"),
        ("from=2026-11-20&to=2026-11-01", "is not after"),
        ("from=2027-01-01", "not before now"),
        ("tz=Mars/Olympus", "no time zone"),
        ("bucket=15min&range=90d", "more than 800 buckets"),
        ("colour=red", "Valid keys"),
    ],
)
def test_what_is_not_valid_is_answered_with_what_is(full: Place, query: str, said: str) -> None:
    """An unknown key, value, zone or time is a 400 that says what is valid."""
    assert said in _text(full, f"/usage?{query}", 400)


def test_names_from_outside_are_text(place: Place) -> None:
    """A model that calls itself a script is shown, not run."""
    pen = place.pen()
    pen.call(NOW_US - 10**9, model="<script>alert(1)</script>", attribution=Attribution(layer="<b>"))
    pen.done()
    for by in ("model", "layer"):
        answer = place.client().get(f"/usage?by={by}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;" in answer.text


def test_the_period_before_is_compared_up_to_the_same_hour(place: Place) -> None:
    """Seven days are compared with the seven before, but of today's day only what has passed of it."""
    pen = place.pen()
    pen.call(NOW_US - 3600 * 10**6, cost=3 * 10**9)
    pen.call(NOW_US - 7 * DAY - 3600 * 10**6, cost=2 * 10**9)
    pen.call(NOW_US - 7 * DAY + 3600 * 10**6, cost=50 * 10**9)  # later in the day than it is now
    pen.done()
    text = _text(place, "/usage?range=7d")
    assert "$2.00 the period before" in text
    assert "Rising" in text
    assert "+50 %" in text


def test_rows_lead_to_their_calls(full: Place) -> None:
    """A group's name leads to the calls that it is the sum of."""
    answer = full.client().get("/usage?range=24h&by=layer").text
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="(/calls\?[^"]+)"', answer)]
    assert any("layer=research" in link for link in links)
    for link in links:
        assert full.client().get(link).status_code == 200


def test_a_partial_alone_is_complete(full: Place) -> None:
    """The poller's part answers by itself, with the chart, its table and the totals."""
    text = full.client().get("/partials/usage-graphs?range=24h").text
    assert "<html" not in text
    assert "<svg" in text
    assert "Show as table" in text
    assert "In all" in text


def test_what_happened_is_marked(full: Place) -> None:
    """A breaker that opened stands under the columns and in words."""
    assert "firecrawl breaker opened" in _text(full, "/usage?range=24h")
