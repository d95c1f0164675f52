from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.conftest import DAY, MINUTE, NOW_US

from switchgear.calls import Attribution
from switchgear.config.effective import effective
from switchgear.config.load import load_sourced
from switchgear.events import BudgetChanged
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Place

PAGES = ["/-/", "/-/doctor", "/-/config", "/-/prices", "/-/keys", "/-/audit", "/-/versions", "/-/patterns"]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HOSTILE = "<script>alert(1)</script>\"'"
HTML = {"accept": "text/html"}


@pytest.mark.parametrize("address", [*PAGES, f"/traces/{TRACE}"])
def test_unknown_keys_are_told(full: Place, address: str) -> None:
    """A page that takes no such key says so, and what it takes."""
    assert full.client().get(address, headers=HTML).status_code == 200

    refused = full.client().get(address, params={"nonsense": "1"}, headers=HTML)

    assert refused.status_code == 400
    assert "nonsense: no such key. Valid keys:" in refused.text


@pytest.mark.parametrize("address", ["/-/nothing", "/traces/nothing", "/traces/nothing.json"])
def test_what_is_not_there_has_a_way_back(full: Place, address: str) -> None:
    """404, and a link."""
    answer = full.client().get(address, headers=HTML)

    assert answer.status_code == 404
    assert 'href="/"' in answer.text


def test_the_doctor_finds_what_the_command_finds(full: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are missing, models without a price, the ledger and the list."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    text = full.client().get("/-/doctor").text

    assert "ANTHROPIC_API_KEY is not set" in text
    assert "1 calls without a price: gpt-6-mini-beta of local" in text
    assert "genai-prices" in text
    assert "1 failed" in text


def test_configuration_tells_where_a_value_is_from(place: Place, tmp_path: Path) -> None:
    """File and line, variable; without defaults at first; no password."""
    file = tmp_path / "switchgear.toml"
    file.write_text('[server]\nport = 8401\n[services.x]\nbase_url = "https://user:secret@x.test"\n')
    sourced = load_sourced(file, environ={"SWITCHGEAR_SERVER__REPORTING_TIMEZONE": "Europe/Vienna"})
    deps = msgspec.structs.replace(place.deps, settings=lambda: effective(sourced))
    client = TestClient(create_app(deps), base_url="http://127.0.0.1:8400")
    some, every = client.get("/-/config").text, client.get("/-/config?all=1").text

    assert "switchgear.toml:2" in some
    assert "SWITCHGEAR_SERVER__REPORTING_TIMEZONE" in some
    assert "server.workers" not in some
    assert "server.workers" in every
    assert "secret" not in every


def test_prices_name_what_has_none(full: Place) -> None:
    """The model without a price is first."""
    text = full.client().get("/-/prices").text

    assert text.index("gpt-6-mini-beta") < text.index("gpt-5-mini")
    assert "unpriced" in text


def test_the_audit_trail_is_filtered_and_paged(place: Place) -> None:
    """By kind and by day, older pages, as CSV; a kind that does not exist is told with those that do."""
    pen = place.pen()
    for at in range(3):
        change = BudgetChanged(
            budget=f"b{at}", old=1, new=2, configured=1, unit="usd", by=HOSTILE, note=HOSTILE, at=NOW_US - at * DAY
        )
        pen.event(change)  # type: ignore[arg-type]  # any event is recorded alike
    pen.done()
    client = place.client()
    first = client.get("/-/audit?kind=budget_changed&limit=2").text

    assert "alert(1)" in first
    assert "<script>alert" not in first
    assert first.count('<tr role="row" id="event-') == 2
    assert 'rel="next"' in first
    assert client.get("/-/audit?kind=breaker_changed").text.count("0 entries match") == 1
    refused = client.get("/-/audit?kind=nothing", headers=HTML)
    assert refused.status_code == 400
    assert "budget_changed" in refused.text
    assert client.get("/-/audit?from=yesterday").status_code == 400


def test_a_trace_shows_its_calls_in_time(place: Place) -> None:
    """Waits, attempts and refusals are drawn, sums are those of the ledger, names are text."""
    pen = place.pen()
    at = place.now - 10 * MINUTE
    who = Attribution(job=HOSTILE, layer=HOSTILE, run=HOSTILE)
    call = pen.call(at, model=HOSTILE, status="failed", attribution=who, duration_us=1_000_000, cost=0)
    pen.call(at + 2_000_000, attempt=2, call_id=call, attribution=who, waited_us=800_000, duration_us=3_000_000)
    pen.call(at + 6_000_000, cost=None, duration_us=1)
    pen.done()
    client = place.client()
    page, told = client.get(f"/traces/{TRACE}").text, client.get(f"/traces/{TRACE}.json").json()

    assert "<script>alert" not in page
    assert page.count('class="lane-work"') == 3
    assert page.count('class="lane-wait"') == 1
    assert (told["calls"], told["unpriced"], told["cost_usd"]) == (2, 1, "0.0042")
    assert told["duration_ms"] == pytest.approx(6000.001)
    assert f'href="/traces/{TRACE}"' in client.get(f"/calls/{call}").text
