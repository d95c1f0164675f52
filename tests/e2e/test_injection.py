"""Names from outside, whatever is in them, stay names: in logs, in SQL, in pages, in CSV, in metrics."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import httpx2
import pytest

from switchgear.config import Config
from switchgear.config.telemetry import TelemetryConfig
from switchgear.drills.sandbox import Sandbox
from switchgear.server import Server
from switchgear.telemetry.logs.setup import handler_for

pytestmark = pytest.mark.e2e

CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
attribution_from = ["openai_metadata"]
unpriced = "allow"
limits = {{ requests_per_minute = 1000 }}
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
[[budgets]]
name = "jobs"
each = "job"
limit_usd = "1"
"""
NAMES = {
    "html": "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "quotes": "\"' onmouseover='alert(3)",
    "sql": "x'; DROP TABLE attempts; --",
    "log": "x\nERROR forged: all is lost\r\n2026-11-24 forged",
    "terminal": "x\x1b[31m\x1b]0;title\x07\x1b[2J",
    "formula": '=HYPERLINK("http://evil.example","x")',
    "formula by plus": "+1+cmd|' /C calc'!A0",
    "formula by at": "@SUM(1)",
    "template": "{{ 7*7 }}${7*7}#{7*7}%(x)s",
    "direction": "x\u202egnp.exe\u2066",
    "metric": 'x"} 1\nforged_total{a="',
    "traversal": "../../etc/passwd",
}
PAGES = """
/ /calls /services /services/llm /budgets /budgets/jobs /usage?by=model /usage?by=job /-/audit /-/patterns /-/doctor
/partials/metrics-dashboard /partials/budget-monitor /partials/usage-graphs
"""
FORMULA = re.compile(r"[=+@\t\r]|-[^0-9]")


@pytest.fixture
def server(
    sandbox: Sandbox, make_config: Callable[[str], Config], caplog: pytest.LogCaptureFixture
) -> Iterator[Server]:
    """A server that has been called with every name as model and job, well and badly."""
    caplog.set_level(logging.DEBUG)
    with Server(make_config(CONFIG.format(url=sandbox.url)), port=0) as running:
        for name in NAMES.values():
            for fault in ("", "status=500", "reset"):
                body = {"model": name, "max_tokens": 3, "messages": [], "metadata": {"job": name, "layer": name}}
                body["messages"] = [{"role": "user", "content": "hi"}]
                headers = {"x-sandbox-fault": fault} if fault else {}
                httpx2.post(f"{running.url}/llm/v1/chat/completions", json=body, headers=headers)
            httpx2.get(f"{running.url}/llm/{name.encode().hex()}%0aERROR%20forged")
        httpx2.get(f"{running.url}/no%0d%0aERROR%20forged/x")
        yield running


def test_names_are_text_on_every_page(server: Server) -> None:
    """No tag, no attribute, no template and no control character of a name is anything but text."""
    calls = httpx2.get(f"{server.url}/api/calls?limit=500").json()["items"]
    assert {row["model"] for row in calls} >= set(NAMES.values())
    for page in [*PAGES.split(), *(f"/calls/{row['id']}" for row in calls[:40:3])]:
        text = httpx2.get(server.url + page).text
        assert "<script>alert" not in text, page
        assert "<img src=x" not in text, page
        assert not re.search(r"<[^>]*\sonmouseover='alert", text), page
        assert "49" not in re.findall(r"\{\{.{0,9}|7\*7", text), page


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_name_makes_a_line_of_a_log(server: Server, caplog: pytest.LogCaptureFixture, form: str) -> None:
    """Each record is one line without control characters, whatever was in the request that it tells of."""
    stream = io.StringIO()
    handler = handler_for(TelemetryConfig.model_validate({"logs": form}), stream)
    assert handler is not None
    records = [record for record in caplog.get_records("setup") if record.name.startswith("switchgear")]
    for record in records:
        handler.handle(record)
    lines = stream.getvalue().removesuffix("\n").split("\n")

    assert len(records) >= len(NAMES)
    assert len(lines) <= len(records)
    assert [line for line in lines if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]|^ERROR forged", line)] == []


def test_no_name_is_sql(server: Server) -> None:
    """A filter finds what has exactly that name, and everything is still there."""
    for name in NAMES.values():
        found = httpx2.get(f"{server.url}/api/calls", params={"model": name}).json()["items"]
        assert {row["model"] for row in found} == {name}
    problems = server.governor.ledger.reader.calls(limit=500).items
    assert len(problems) >= 3 * len(NAMES)


@pytest.mark.parametrize("page", ["/calls.csv", "/usage.csv?by=model", "/budgets.csv", "/api/usage?by=job&format=csv"])
def test_no_cell_of_a_csv_is_a_formula(server: Server, page: str) -> None:
    """What a spreadsheet would compute is kept from it."""
    rows = list(csv.reader(io.StringIO(httpx2.get(server.url + page).text)))
    assert len(rows) > 1
    assert [cell for row in rows for cell in row if FORMULA.match(cell)] == []


def test_no_name_is_a_metric(server: Server) -> None:
    """Every line of /metrics is one that Switchgear meant."""
    lines = httpx2.get(f"{server.url}/metrics").text.splitlines()
    assert [line for line in lines if line.startswith("forged")] == []
    assert all(re.match(r"#|(switchgear|python|process)_", line) for line in lines)


def test_names_in_json_are_what_they_were(server: Server) -> None:
    """The API gives a name back exactly, as JSON of its own type, which no browser takes for a page."""
    answer = httpx2.get(f"{server.url}/api/calls?limit=500")
    assert answer.headers["content-type"] == "application/json"
    rows = json.loads(answer.text)["items"]
    assert {row["model"] for row in rows} >= set(NAMES.values())
    # A label is one line of text: what can't be printed is left out of it.
    assert {row["job"] for row in rows} - {None} == {"".join(filter(str.isprintable, name)) for name in NAMES.values()}
