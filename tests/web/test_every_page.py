from __future__ import annotations

import csv
import io
import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from tests.web.conftest import NANO, NOW_US
from tests.web.test_browser import PAGES

from switchgear.insight.days import day_start, month_start

if TYPE_CHECKING:
    from tests.web.conftest import Place

PEOPLE = {"accept": "text/html"}


@pytest.mark.parametrize("address", sorted(PAGES.values()))
@pytest.mark.parametrize("filling", ["full", "empty"])
def test_no_page_needs_what_its_policy_forbids(request: pytest.FixtureRequest, filling: str, address: str) -> None:
    """Every page has the strict policy, and no inline script, style or handler, nor anything from elsewhere."""
    place: Place = request.getfixturevalue(filling)
    answer = place.client().get(address, headers=PEOPLE)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", answer.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", re.sub(r'href="https?://[^"]*"', "", answer.text))
    assert not re.search(r">\s*None\s*<", answer.text)
    assert not re.search(r"\b1 (calls|alerts|failures|entries|runs)\b", re.sub(r"<[^>]+>", "", answer.text))


@pytest.mark.parametrize(
    ("address", "valid"),
    [
        ("/calls?outcome=nonsense", "refused-breaker"),
        ("/calls?colour=red", "outcome"),
        ("/usage?by=colour", "layer"),
        ("/usage?range=century", "90d"),
        ("/services?tz=Mars", "Europe/Vienna"),
        ("/budgets/job-default?by=colour", "layer"),
        ("/-/audit?kind=nonsense", "breaker_changed"),
    ],
)
def test_a_bad_filter_is_a_page_that_lists_the_valid_ones(full: Place, address: str, valid: str) -> None:
    """A 400 for people names what would be valid, and leads back to the page without the filter."""
    answer = full.client().get(address, headers=PEOPLE)
    path = address.partition("?")[0]
    assert answer.status_code == 400
    assert f"<code>{valid}</code>" in answer.text
    assert f'href="{path if path.count("/") == 1 or path.startswith("/-/") else "/budgets"}"' in answer.text


@pytest.mark.parametrize(
    ("address", "back"),
    [
        ("/calls/nothing", "/calls"),
        ("/services/nothing", "/services"),
        ("/budgets/nothing", "/budgets"),
        ("/traces/nothing", "/"),
        ("/nothing", "/"),
    ],
)
def test_what_is_not_there_has_a_way_back(full: Place, address: str, back: str) -> None:
    """A 404 for people leads to the list that it would have been of."""
    answer = full.client().get(address, headers=PEOPLE)
    assert answer.status_code == 404
    assert f'<a href="{back}">' in answer.text.partition("<main")[2]


def test_the_audit_trail_is_given_as_asked(full: Place) -> None:
    """With a format the page's entries are JSON or CSV."""
    client = full.client()
    items = client.get("/-/audit?format=json&kind=breaker_changed").json()["items"]
    rows = list(csv.DictReader(io.StringIO(client.get("/-/audit?format=csv&kind=breaker_changed").text)))
    assert [row["id"] for row in rows] == [str(item["id"]) for item in items]
    assert client.get("/-/audit", headers=PEOPLE).headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kathmandu"])
def test_the_overview_equals_the_ledger(full: Place, zone: str) -> None:
    """Spend, calls and tokens of today and the month, and each part of them, are what SQL over the rows gives."""
    full.deps.collector.adopt(
        full.deps.config.model_copy(
            update={"server": full.deps.config.server.model_copy(update={"reporting_timezone": zone})}
        )
    )
    try:
        answer = full.client().get("/api/metrics").json()
    finally:
        full.deps.collector.adopt(full.deps.config)
    tz = ZoneInfo(zone)
    with closing(sqlite3.connect(full.file)) as connection:
        for name, since in (("today", day_start(NOW_US, tz)), ("month", month_start(NOW_US, tz))):
            query = (
                "SELECT count(*), coalesce(sum(cost), 0), sum(input_tokens), sum(status = 'refused') FROM attempts"
                " WHERE status <> 'reserved' AND started_at >= ?"
            )
            calls, cost, tokens, refused = connection.execute(query, (since,)).fetchone()
            part = answer[name]
            found = (part["calls"], int(Decimal(part["cost_usd"]) * NANO), part["input_tokens"], part["refused"])
            assert found == (calls, cost, tokens, refused)
            for shares in ("by_service", "by_provider", "by_model", "by_layer"):
                assert sum(int(Decimal(one["cost_usd"]) * NANO) for one in part[shares]) == cost
