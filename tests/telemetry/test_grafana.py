"""The dashboard for Grafana: every number that it asks for is one that we give."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.insight.snapshot import MetricsCollector
from switchgear.telemetry.prometheus import PrometheusPage
from switchgear.testing import ManualClock

ROOT = Path(__file__).parents[2]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "switchgear.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
CONFIG: dict[str, Any] = {
    "services": {
        "llm": {
            "kind": "openai",
            "base_url": "http://127.0.0.1:9",
            "limits": {"requests_per_minute": 10},
            "shadow_limits": {"requests_per_minute": 5},
            "prices": {"m": {"input": "1", "output": "1"}},
        }
    },
    "budgets": [
        {"name": "money", "limit_usd": "1"},
        {"name": "tokens", "limit_tokens": 1000},
        {"name": "shade", "limit_usd": "1", "shadow": True},
    ],
}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The names of all our numbers, each with the labels that it has."""
    url = f"sqlite:///{tmp_path_factory.mktemp('grafana')}/l.db"
    config = Config.model_validate({**CONFIG, "ledger": {"url": url}})
    with Governor(config, clock=ManualClock(1_800_000_000.0)) as governor:
        with governor.call("llm", model="m"):
            pass
        collector = MetricsCollector(
            governor.ledger.reader,
            governor.state,
            governor.clock,
            config=config,
            denials=lambda: {"no key": 1},
        )
        text = PrometheusPage(collector, "0").render().decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _asked() -> list[tuple[str, str, str]]:
    """Return each question with its legend, by the title of its panel."""
    return [(panel["title"], each["expr"], each["legendFormat"]) for panel in PANELS for each in panel["targets"]]


@pytest.mark.parametrize(("title", "expr", "legend"), _asked())
def test_every_number_of_a_panel_is_one_of_ours(
    labels: dict[str, set[str]], title: str, expr: str, legend: str
) -> None:
    """A panel asks for metrics and labels that are on the page, and its legend names labels that it keeps."""
    names = re.findall(r"switchgear_\w+", expr)
    assert names, title
    for name in names:
        assert name in labels, (title, name)
    known = set[str]().union(*(labels[name] for name in names))
    filters = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expr))
    grouped = {one for by in re.findall(r"by \(([^)]*)\)", expr) for one in re.split(r",\s*", by)}
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    assert filters | grouped <= known, title
    assert shown <= grouped, title


def test_it_loads_without_edits() -> None:
    """No data source, identifier or folder of somebody's own is in it; the reader's is asked for."""
    variables = {one["name"]: one for one in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert "__inputs" not in BOARD
    assert BOARD.get("id") is None
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(each["datasource"]["uid"] == "${datasource}" for each in panel["targets"])
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_no_panel_lies_on_another() -> None:
    """Panels are within the 24 columns, and none covers another."""
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    assert all(each["x"] >= 0 and each["x"] + each["w"] <= 24 for each in places)
    for one, other in itertools.combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_the_documentation_lists_every_number(labels: dict[str, set[str]]) -> None:
    """The table in docs/dashboard.md has the numbers that there are, with their labels, and no other."""
    text = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(switchgear_\w+)` \| ([^|]*) \|", text, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", said)) for name, said in rows}
    ours = {name: said for name, said in labels.items() if not name.endswith("_created")}
    assert documented == ours
