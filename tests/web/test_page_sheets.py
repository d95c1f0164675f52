from __future__ import annotations

import csv
import datetime as dt
import io
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.web.conftest import NANO, NOW_US

from switchgear.calls import Attribution

if TYPE_CHECKING:
    from tests.web.conftest import Place

ZONES = ("UTC", "America/Los_Angeles", "Asia/Kathmandu")


def _lines(place: Place, address: str) -> list[dict[str, str]]:
    answer = place.client().get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", ["2026-11-23", "2026-11-24"])
def test_calls_of_a_day_equal_the_ledger(full: Place, zone: str, day: str) -> None:
    """A day of calls is that of the zone that is asked for; its cost is what SQL over the rows gives."""
    start = dt.datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    ends = [int(start.timestamp()) * 10**6, int((start + dt.timedelta(days=1)).timestamp()) * 10**6]
    with closing(sqlite3.connect(full.file)) as connection:
        query = "SELECT count(*), coalesce(sum(cost), 0) FROM attempts WHERE started_at >= ? AND started_at < ?"
        number, cost = connection.execute(query, ends).fetchone()
    answer = full.client().get("/calls.json", params={"from": day, "to": day, "tz": zone, "limit": "500"}).json()
    costs = [Decimal(item["cost_usd"]) for item in answer["items"] if item["cost_usd"] is not None]
    assert (len(answer["items"]), int(sum(costs) * NANO)) == (number, cost)
    assert answer["next"] is None


def test_the_csv_of_calls_is_the_same_page(full: Place) -> None:
    """CSV and JSON have the same rows; where there are more, a header says where."""
    client = full.client()
    json = client.get("/calls.json?service=openai&limit=7").json()
    answer = client.get("/calls.csv?service=openai&limit=7")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == [item["id"] for item in json["items"]]
    assert [row["cost_usd"] for row in rows] == [item["cost_usd"] or "" for item in json["items"]]
    following = answer.headers["link"].partition(">")[0].lstrip("<")
    assert following == f"/calls.csv?service=openai&limit=7&after={json['next']}"
    more = list(csv.DictReader(io.StringIO(client.get(following).text)))
    assert not {row["id"] for row in more} & {row["id"] for row in rows}


def test_a_name_is_no_formula(place: Place) -> None:
    """What callers name can't run in a spreadsheet."""
    pen = place.pen()
    pen.call(NOW_US, attribution=Attribution(job='=cmd|"/c calc"!A1'))
    pen.done()
    assert _lines(place, "/calls.csv")[0]["job"].startswith("'=")


def test_services_are_the_page_s_numbers(full: Place) -> None:
    """The last hour's calls of each service are those of the health answer, and its latency is given."""
    items = {item["name"]: item for item in full.client().get("/services.json").json()["items"]}
    health = full.client().get("/api/health?strict=0").json()["services"]
    assert {name: item["calls"] for name, item in items.items()} == {
        name: each["calls"] for name, each in health.items()
    }
    assert items["openai"]["p95_ms"] >= items["openai"]["p50_ms"] > 0
    rows = {row["name"]: row for row in _lines(full, "/services.csv")}
    assert rows["firecrawl"]["breaker.state"] == "open"
    assert rows["openai"]["requests_per_minute.used"] == "56"
    assert rows["firecrawl"]["requests_per_minute.used"] == ""


def test_a_service_without_calls_has_no_latency(empty: Place) -> None:
    """What is not known is null, not 0."""
    item = empty.client().get("/services.json").json()["items"][0]
    assert (item["calls"], item["p95_ms"]) == (0, None)


def test_budgets_are_the_live_numbers(full: Place) -> None:
    """JSON and CSV have what the API has, and the forecast beside it."""
    client = full.client()
    items = client.get("/budgets.json").json()["items"]
    plain = client.get("/api/budgets").json()["items"]
    assert [{key: item[key] for key in plain[0]} for item in items] == plain
    month = next(item for item in items if item["name"] == "anthropic-month")
    rows = {row["name"]: row for row in _lines(full, "/budgets.csv")}
    assert rows["anthropic-month"]["spent_usd"] == month["spent_usd"]
    assert rows["anthropic-month"]["expected_usd"] == month["forecast"]["expected_usd"]
    assert rows["job-default"]["limit_tokens"] == ""


@pytest.mark.parametrize("path", ["/calls", "/calls.csv", "/services", "/services.json", "/budgets", "/budgets.json"])
def test_an_unknown_zone_is_a_400(full: Place, path: str) -> None:
    """A time zone that does not exist is told with examples of such that do."""
    answer = full.client().get(f"{path}?tz=Mars/Base")
    assert (answer.status_code, answer.json()["key"]) == (400, "tz")
    assert "Europe/Vienna" in answer.json()["valid"]


@pytest.mark.parametrize("path", ["/calls", "/services/openai", "/budgets", "/usage"])
def test_times_are_read_where_asked(full: Place, path: str) -> None:
    """A page's times are those of ``tz``, its foot says so and leads back."""
    client = full.client()
    usual, other = client.get(path).text, client.get(f"{path}?tz=UTC").text
    assert "All times Europe/Vienna (UTC+1), now 14:03" in usual
    assert f'href="{path}?tz=UTC">Show in UTC' in usual
    assert "All times UTC, now 13:03" in other
    assert f'href="{path}">Show in Europe/Vienna' in other


def test_the_zone_stays_while_one_reads_on(full: Place) -> None:
    """Paging, filters and downloads keep the time zone that was asked for."""
    text = full.client().get("/calls?tz=UTC&service=openai&limit=5").text
    assert "/calls?service=openai&amp;tz=UTC&amp;limit=5&amp;after=" in text
    assert 'href="/calls.csv?tz=UTC&amp;service=openai&amp;limit=5"' in text
    assert '<input type="hidden" name="tz" value="UTC">' in text
    assert 'href="/calls?tz=UTC"' in text
